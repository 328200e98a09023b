// BF16: bfloat16: the upper half of a float, 1 sign, 8 exponent, 7 mantissa bits.
// Rounded to nearest even.
#pragma once

#include <cstdint>

namespace plm::quant {

void decode_bf16(const void* blocks, float* out, int64_t n);
void encode_bf16(const float* in, void* blocks, int64_t n);

}  // namespace plm::quant
