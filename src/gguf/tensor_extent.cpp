#include "gguf/tensor_extent.h"

#include <limits>

#include "gguf/format.h"

namespace plm::gguf {
namespace {

// Of positive numbers.
std::optional<int64_t> checked_product(int64_t a, int64_t b) {
  if (a > std::numeric_limits<int64_t>::max() / b) return std::nullopt;
  return a * b;
}

}  // namespace

Result<TensorExtent> tensor_extent(TensorType type, std::span<const int64_t> shape) {
  if (shape.empty() || shape.size() > kMaxDims) {
    return make_error(ErrorKind::bad_data, "number of dimensions: found {}, expected 1 to {}", shape.size(),
                      kMaxDims);
  }
  int64_t n_elements = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 1) {
      return make_error(ErrorKind::bad_data, "dimension {}: found {}, expected at least 1", i, shape[i]);
    }
    const auto product = checked_product(n_elements, shape[i]);
    if (!product) {
      return make_error(ErrorKind::bad_data, "dimension {}: found {}, expected a product below 2^63", i,
                        shape[i]);
    }
    n_elements = *product;
  }
  const TensorTypeInfo& info = tensor_type_info(type);
  if (shape[0] % info.block_elements != 0) {
    return make_error(ErrorKind::bad_data, "row length: found {}, expected a multiple of {} for type {}",
                      shape[0], info.block_elements, info.name);
  }
  const auto bytes = checked_product(n_elements / info.block_elements, info.block_bytes);
  if (!bytes) {
    return make_error(ErrorKind::bad_data, "size: found {} elements of type {}, expected below 2^63 bytes",
                      n_elements, info.name);
  }
  return TensorExtent{n_elements, *bytes};
}

std::optional<uint64_t> round_up(uint64_t value, uint64_t alignment) {
  const uint64_t mask = alignment - 1;
  if (value > std::numeric_limits<uint64_t>::max() - mask) return std::nullopt;
  return (value + mask) & ~mask;
}

}  // namespace plm::gguf
