// F16: IEEE half precision: 1 sign, 5 exponent, 10 mantissa bits. Above 65519 it becomes infinite.
// Rounded to nearest even.
#pragma once

#include <cstdint>

namespace plm::quant {

void decode_f16(const void* blocks, float* out, int64_t n);
void encode_f16(const float* in, void* blocks, int64_t n);

}  // namespace plm::quant
