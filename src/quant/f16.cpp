#include "quant/f16.h"

#include "base/half.h"

namespace plm::quant {

void decode_f16(const void* blocks, float* out, int64_t n) {
  const auto* bits = static_cast<const uint16_t*>(blocks);
  for (int64_t i = 0; i < n; ++i) out[i] = f16_to_f32(bits[i]);
}

void encode_f16(const float* in, void* blocks, int64_t n) {
  auto* bits = static_cast<uint16_t*>(blocks);
  for (int64_t i = 0; i < n; ++i) bits[i] = f32_to_f16(in[i]);
}

}  // namespace plm::quant
