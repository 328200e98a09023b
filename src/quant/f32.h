// F32: plain IEEE single precision, kept in the table so that no caller needs a special case.
#pragma once

#include <cstdint>

namespace plm::quant {

void decode_f32(const void* blocks, float* out, int64_t n);
void encode_f32(const float* in, void* blocks, int64_t n);

}  // namespace plm::quant
