// Puts an adapter together from the matrices of a file, whatever its format, and checks it by itself.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>

#include "model/lora/adapter.h"

namespace plm::model {

class AdapterBuilder {
 public:
  explicit AdapterBuilder(std::string path) : path_(std::move(path)) {}

  enum class Half { a, b };
  struct Part {
    std::string_view name;              // in the file, for messages
    std::string tensor;                 // the matrix it changes
    Half half = Half::a;                // A [rank, columns] or B [rows, rank], when in their usual places
    TensorType type = TensorType::f32;  // one that quant knows
    int64_t rows = 0, cols = 0;         // cols is whole blocks
    std::span<const std::byte> bytes;   // that many rows, aligned in no way
    bool is_transposed = false;         // the bytes hold the transposed matrix: `cols` rows of `rows` numbers
    std::function<int64_t(int64_t)> row_of =
        {};  // row i of the matrix is row row_of(i) of the bytes; may be empty
  };
  // Refuses no rows or columns, numbers that are not finite, and a half that was there before.
  Status add(const Part& part);

  // Refuses a half without the other, ranks that differ, and an adapter without pairs.
  Result<Adapter> finish(std::string architecture, const std::function<float(int64_t rank)>& scale_of);

 private:
  struct Halves {
    std::optional<AdapterMatrix> a, b;
    std::string name;  // of the half that came first
  };

  std::string path_;
  std::map<std::string, Halves, std::less<>> pairs_;
};

}  // namespace plm::model
