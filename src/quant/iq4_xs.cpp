#include "quant/iq4_xs.h"

#include "base/half.h"
#include "quant/iq4_nl.h"
#include "quant/packing.h"

namespace plm::quant {

void unpack_scales_iq4_xs(const BlockIq4Xs& block, int8_t scales[8]) {
  for (int b = 0; b < 8; ++b) {
    const int low = (block.scales_low[b / 2] >> (4 * (b % 2))) & 15;
    const int high = (block.scales_high >> (2 * b)) & 3;
    scales[b] = static_cast<int8_t>((low | (high << 4)) - 32);
  }
}

void unpack_codes_iq4_xs(const BlockIq4Xs& block, uint8_t codes[256]) {
  for (int b = 0; b < 8; ++b) unpack_nibbles(block.codes + 16 * b, 16, codes + 32 * b);
}

void unpack_iq4_xs(const BlockIq4Xs& block, uint8_t codes[256], float scales[8]) {
  int8_t scale_codes[8];
  unpack_scales_iq4_xs(block, scale_codes);
  const float d = f16_to_f32(block.d);
  for (int b = 0; b < 8; ++b) scales[b] = d * static_cast<float>(scale_codes[b]);
  unpack_codes_iq4_xs(block, codes);
}

void decode_iq4_xs(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockIq4Xs*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsIq4Xs, ++block) {
    uint8_t codes[kElementsIq4Xs];
    float scales[8];
    unpack_iq4_xs(*block, codes, scales);
    for (int b = 0; b < 8; ++b) {
      for (int i = 32 * b; i < 32 * (b + 1); ++i)
        out[begin + i] = scales[b] * static_cast<float>(kIq4Values[codes[i]]);
    }
  }
}

}  // namespace plm::quant
