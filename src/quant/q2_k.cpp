#include "quant/q2_k.h"

#include "base/half.h"
#include "quant/packing.h"

namespace plm::quant {

void unpack_scales_q2_k(const BlockQ2K& block, uint8_t scales[16], uint8_t mins[16]) {
  for (int b = 0; b < 16; ++b) {
    scales[b] = block.scales[b] & 15;
    mins[b] = block.scales[b] >> 4;
  }
}

void unpack_codes_q2_k(const BlockQ2K& block, uint8_t codes[256]) { unpack_bit_pairs(block.codes, codes); }

void unpack_q2_k(const BlockQ2K& block, uint8_t codes[256], float scales[16], float mins[16]) {
  uint8_t scale_codes[16], min_codes[16];
  unpack_scales_q2_k(block, scale_codes, min_codes);
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  for (int b = 0; b < 16; ++b) {
    scales[b] = d * static_cast<float>(scale_codes[b]);
    mins[b] = dmin * static_cast<float>(min_codes[b]);
  }
  unpack_codes_q2_k(block, codes);
}

void decode_q2_k(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ2K*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ2K, ++block) {
    uint8_t codes[kElementsQ2K];
    float scales[16], mins[16];
    unpack_q2_k(*block, codes, scales, mins);
    for (int b = 0; b < 16; ++b) {
      for (int i = 16 * b; i < 16 * (b + 1); ++i)
        out[begin + i] = scales[b] * static_cast<float>(codes[i]) - mins[b];
    }
  }
}

}  // namespace plm::quant
