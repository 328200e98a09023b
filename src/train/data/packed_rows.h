// Rows for pretraining: the documents of a source joined into one stream and cut every T tokens. Nothing is
// lost: the last row of a source is filled up with padding that has no label.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/data/batch_source.h"
#include "train/data/mixture.h"
#include "train/data/permutation.h"
#include "train/data/token_stream.h"

namespace plm::train {

enum class RowOrder {
  shuffled,    // every epoch in another order
  sequential,  // as the text has it: validation
};

enum class DocumentAttention {
  across,  // documents of a row see each other; a document's end predicts the next one's first token
  within,  // each sees itself alone; the token after a document's end is no label
};

struct NamedStream {
  std::string name;
  std::shared_ptr<const TokenStream> tokens;
};

struct PackedRowsOptions {
  int64_t row_tokens = 0;  // T
  uint64_t seed = 0;
  RowOrder order = RowOrder::shuffled;
  DocumentAttention attention = DocumentAttention::across;
  int64_t padding_token = 0;
  // Empty: no weights, an epoch is every row of every source once. Otherwise each source has epochs of its
  // own, and goes on from phase to phase where it stood.
  std::vector<MixturePhase> phases = {};
};

class PackedRows : public BatchSource {
 public:
  // Sources with no token are refused, unless they are never asked for (weight 0 in all phases).
  static Result<std::unique_ptr<PackedRows>> create(std::vector<NamedStream> sources,
                                                    PackedRowsOptions options);

  Result<Batch> batch(int64_t first_row, int64_t n_rows) const override;
  int64_t row_tokens() const override { return options_.row_tokens; }
  int64_t rows_in_epoch() const override;
  std::string fingerprint() const override;

  // Which source each of the rows comes from, for logs and tests.
  std::vector<int64_t> sources_of(int64_t first_row, int64_t n_rows) const;

 private:
  // Sources whose rows are shuffled together.
  struct Pool {
    std::vector<size_t> sources = {};
    std::vector<int64_t> first_row = {};  // of each source within the pool, and the number of rows at the end
    uint64_t key = 0;

    int64_t n_rows() const { return first_row.back(); }
  };
  struct Place {
    size_t source;
    int64_t row;  // of the source
  };

  PackedRows() = default;
  Pool make_pool(std::vector<size_t> sources) const;
  int64_t n_rows_of(size_t source) const;
  std::vector<Place> places(int64_t first_row, int64_t n_rows) const;
  Place place_in(const Pool& pool, int64_t ordinal) const;
  Status fill_row(Place place, Batch& batch, int64_t b) const;

  std::vector<NamedStream> sources_;
  PackedRowsOptions options_;
  std::vector<Pool> pools_;
  std::vector<Mixture> mixture_;  // one, or none when there are no weights
};

}  // namespace plm::train
