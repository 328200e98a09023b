// What LoRA adapters make of the rows of a model's matrices: for merging them into a file.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gguf/gguf_file.h"
#include "model/lora/adapter.h"

namespace plm::quantize {

// Of one matrix, from one or more adapters. Immutable, so any number of threads may use it.
class RowChange {
 public:
  // Adds row `row` of the change, as many numbers as the matrix has columns.
  void add_to(int64_t row, float* values) const;

 private:
  friend class AdapterChanges;
  struct Part {
    const model::AdapterMatrix* b_YZ = nullptr;
    std::vector<float> a_ZK;  // times the scales
  };
  std::vector<Part> parts_;
  int64_t width_ = 0;
};

class AdapterChanges {
 public:
  // Refuses adapters that do not fit the model: another architecture, a matrix it has not or of another
  // shape, and an embedding that is the output matrix too. The adapters must outlive the changes.
  static Result<AdapterChanges> create(const gguf::File& base,
                                       std::span<const model::ScaledAdapter> adapters);

  // Nothing where the tensor stays as it is.
  std::optional<RowChange> of(std::string_view tensor) const;
  bool contains(std::string_view tensor) const;

 private:
  std::span<const model::ScaledAdapter> adapters_;
};

}  // namespace plm::quantize
