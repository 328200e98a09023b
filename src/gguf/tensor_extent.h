// The size of a tensor from its type and shape, in arithmetic that cannot overflow. Shared by the
// reader and the writer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/error.h"
#include "base/tensor_type.h"

namespace plm::gguf {

struct TensorExtent {
  int64_t n_elements;
  int64_t bytes;
};

// Refuses: fewer than 1 or more than 4 dimensions, a dimension below 1, a row that is not a whole
// number of blocks, more elements or bytes than an int64 counts. The message names the field only.
Result<TensorExtent> tensor_extent(TensorType type, std::span<const int64_t> shape);

// value rounded up to a multiple of alignment (a power of two), or nothing on overflow.
std::optional<uint64_t> round_up(uint64_t value, uint64_t alignment);

}  // namespace plm::gguf
