// A row of the latent cache in its number format: C + R numbers of one token and layer.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/tensor_type.h"

namespace plm::kernels {

// f32, f16, bf16 and q8_0. q8_0 rows are padded with zeros to whole blocks of 32.
bool is_cache_type(TensorType type);
int64_t cache_row_bytes(TensorType type, int64_t width);

void encode_cache_row(TensorType type, const float* numbers, int64_t width, std::byte* row);
void decode_cache_row(TensorType type, const std::byte* row, int64_t width, float* numbers);

}  // namespace plm::kernels
