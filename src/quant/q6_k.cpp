#include "quant/q6_k.h"

#include "base/half.h"
#include "quant/packing.h"

namespace plm::quant {

void unpack_codes_q6_k(const BlockQ6K& block, uint8_t codes[256]) {
  uint8_t high[256];
  unpack_bit_pairs(block.high, high);
  for (int half = 0; half < 2; ++half) unpack_nibbles(block.low + 64 * half, 64, codes + 128 * half);
  for (int i = 0; i < 256; ++i) codes[i] = static_cast<uint8_t>(codes[i] | (high[i] << 4));
}

void unpack_q6_k(const BlockQ6K& block, uint8_t codes[256], float scales[16]) {
  const float d = f16_to_f32(block.d);
  for (int b = 0; b < 16; ++b) scales[b] = d * static_cast<float>(block.scales[b]);
  unpack_codes_q6_k(block, codes);
}

void decode_q6_k(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ6K*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ6K, ++block) {
    uint8_t codes[kElementsQ6K];
    float scales[16];
    unpack_q6_k(*block, codes, scales);
    for (int b = 0; b < 16; ++b) {
      for (int i = 16 * b; i < 16 * (b + 1); ++i)
        out[begin + i] = scales[b] * static_cast<float>(codes[i] - 32);
    }
  }
}

}  // namespace plm::quant
