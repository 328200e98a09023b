#include "quant/q8_0.h"

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "quant/legacy_encode.h"

namespace plm::quant {
namespace {

// Half away from zero, in two truncations as gguf-py does it, for |value| <= 127.
int8_t round_code(float value) {
  float magnitude = std::fabs(value);
  magnitude = magnitude < 127.0f ? magnitude : 127.0f;
  const int whole = static_cast<int>(magnitude);
  const int rounded = whole + static_cast<int>(2.0f * (magnitude - static_cast<float>(whole)));
  return static_cast<int8_t>(value < 0.0f ? -rounded : rounded);
}

}  // namespace

void unpack_q8_0(const BlockQ8_0& block, int8_t codes[32], float* scale) {
  *scale = f16_to_f32(block.d);
  std::memcpy(codes, block.codes, sizeof(block.codes));
}

void decode_q8_0(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ8_0*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ8_0, ++block) {
    const float scale = f16_to_f32(block->d);
    for (int i = 0; i < kElementsQ8_0; ++i) out[begin + i] = scale * static_cast<float>(block->codes[i]);
  }
}

void encode_q8_0(const float* in, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ8_0*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ8_0, ++block) {
    const float scale = saturate_scale(std::fabs(signed_extreme(in + begin, kElementsQ8_0)) / 127.0f);
    const float inverse = inverse_scale(scale);
    block->d = f32_to_f16(scale);
    for (int i = 0; i < kElementsQ8_0; ++i) block->codes[i] = round_code(in[begin + i] * inverse);
  }
}

}  // namespace plm::quant
