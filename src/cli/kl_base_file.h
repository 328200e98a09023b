// The file of base probabilities that llama-perplexity writes with --kl-divergence-base: the token ids of a
// text in chunks, and for the second half of each chunk the log-probabilities of every token in 16 bits.
//
//   "_logits_"  int32 n_ctx  int32 n_vocabulary  int32 n_chunks  int32 tokens[n_chunks][n_ctx]
//   rows[n_chunks][n_ctx - 1 - n_ctx / 2] of: float scale, float minimum, uint16 steps[n_vocabulary rounded
//   up to 2] log p(token) = minimum + scale * steps[token]; what is 16 below the best or less is cut there
//
// All little endian. As llama.cpp's tools/perplexity does it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "tokenizer/token.h"

namespace plm::cli {

struct KlBaseShape {
  int32_t n_context = 0, n_vocabulary = 0, n_chunks = 0;

  int64_t rows_per_chunk() const { return n_context - 1 - n_context / 2; }
  int64_t row_bytes() const {
    return 2 * sizeof(float) + 2 * sizeof(uint16_t) * ((int64_t{n_vocabulary} + 1) / 2);
  }
};

class KlBaseWriter {
 public:
  // tokens: n_chunks * n_context ids.
  static Result<KlBaseWriter> create(const std::string& path, const KlBaseShape& shape,
                                     std::span<const tokenizer::TokenId> tokens);
  // The next row; log_sum_exp is that of the logits.
  Status append(std::span<const float> logits, double log_sum_exp);
  Status finish() { return file_.commit(); }

 private:
  explicit KlBaseWriter(AtomicFile file) : file_(std::move(file)) {}
  AtomicFile file_;
  std::vector<uint16_t> row_;
};

class KlBaseReader {
 public:
  // Checks that the file is whole and that its ids are in its vocabulary.
  static Result<KlBaseReader> open(const std::string& path);

  const KlBaseShape& shape() const { return shape_; }
  std::span<const tokenizer::TokenId> tokens() const { return tokens_; }
  // Log-probabilities of one row into `out`, n_vocabulary of them.
  void read_row(int64_t chunk, int64_t row, std::span<float> out) const;

 private:
  MappedFile file_;
  KlBaseShape shape_;
  std::vector<tokenizer::TokenId> tokens_;
  size_t rows_offset_ = 0;
};

}  // namespace plm::cli
