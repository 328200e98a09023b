#include "kernels/cache_row.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "quant/formats.h"

namespace plm::kernels {

bool is_cache_type(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::bf16 ||
         type == TensorType::q8_0;
}

int64_t cache_row_bytes(TensorType type, int64_t width) {
  const int64_t block = tensor_type_info(type).block_elements;
  return row_bytes(type, (width + block - 1) / block * block);
}

void encode_cache_row(TensorType type, const float* numbers, int64_t width, std::byte* row) {
  const quant::Format& format = *quant::find_format(type);
  const int64_t block = tensor_type_info(type).block_elements;
  const int64_t whole = width / block * block;
  format.encode(numbers, row, whole);
  if (whole == width) return;
  float padded[32] = {};
  std::copy(numbers + whole, numbers + width, padded);
  format.encode(padded, row + row_bytes(type, whole), block);
}

void decode_cache_row(TensorType type, const std::byte* row, int64_t width, float* numbers) {
  const quant::Format& format = *quant::find_format(type);
  const int64_t block = tensor_type_info(type).block_elements;
  const int64_t whole = width / block * block;
  format.decode(row, numbers, whole);
  if (whole == width) return;
  float padded[32];
  format.decode(row + row_bytes(type, whole), padded, block);
  std::copy(padded, padded + (width - whole), numbers + whole);
}

}  // namespace plm::kernels
