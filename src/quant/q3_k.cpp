#include "quant/q3_k.h"

#include "base/half.h"
#include "quant/packing.h"

namespace plm::quant {

void unpack_scales_q3_k(const BlockQ3K& block, int8_t scales[16]) {
  for (int b = 0; b < 16; ++b) {
    const int low = (block.scales[b % 8] >> (b < 8 ? 0 : 4)) & 15;
    const int high = (block.scales[8 + b % 4] >> (2 * (b / 4))) & 3;
    scales[b] = static_cast<int8_t>((low | (high << 4)) - 32);
  }
}

void unpack_codes_q3_k(const BlockQ3K& block, uint8_t codes[256]) {
  unpack_bit_pairs(block.low, codes);
  add_bit_plane(block.high, 2, codes);
}

void unpack_q3_k(const BlockQ3K& block, uint8_t codes[256], float scales[16]) {
  int8_t scale_codes[16];
  unpack_scales_q3_k(block, scale_codes);
  const float d = f16_to_f32(block.d);
  for (int b = 0; b < 16; ++b) scales[b] = d * static_cast<float>(scale_codes[b]);
  unpack_codes_q3_k(block, codes);
}

void decode_q3_k(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ3K*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ3K, ++block) {
    uint8_t codes[kElementsQ3K];
    float scales[16];
    unpack_q3_k(*block, codes, scales);
    for (int b = 0; b < 16; ++b) {
      for (int i = 16 * b; i < 16 * (b + 1); ++i)
        out[begin + i] = scales[b] * static_cast<float>(codes[i] - 4);
    }
  }
}

}  // namespace plm::quant
