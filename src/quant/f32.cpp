#include "quant/f32.h"

#include <cstring>

namespace plm::quant {

void decode_f32(const void* blocks, float* out, int64_t n) {
  if (n > 0) std::memcpy(out, blocks, static_cast<size_t>(n) * sizeof(float));
}

void encode_f32(const float* in, void* blocks, int64_t n) {
  if (n > 0) std::memcpy(blocks, in, static_cast<size_t>(n) * sizeof(float));
}

}  // namespace plm::quant
