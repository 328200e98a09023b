#include "quant/q4_k.h"

#include "base/half.h"
#include "quant/affine_search.h"
#include "quant/k_scales.h"
#include "quant/packing.h"

namespace plm::quant {
namespace {

constexpr AffineGrid kGrid{.sub_block = 32,
                           .largest_code = 15,
                           .largest_scale = 63,
                           .below = 1.0f,
                           .above = 3.0f,
                           .step = 0.4f,
                           .n_offsets = 2,
                           .n_tops = 2};

}  // namespace

void unpack_scales_q4_k(const BlockQ4K& block, uint8_t scales[8], uint8_t mins[8]) {
  unpack_k_scales(block.scales, scales, mins);
}

void unpack_codes_q4_k(const BlockQ4K& block, uint8_t codes[256]) {
  for (int group = 0; group < 4; ++group) unpack_nibbles(block.codes + 32 * group, 32, codes + 64 * group);
}

void unpack_q4_k(const BlockQ4K& block, uint8_t codes[256], float scales[8], float mins[8]) {
  uint8_t scale_codes[8], min_codes[8];
  unpack_scales_q4_k(block, scale_codes, min_codes);
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  for (int b = 0; b < 8; ++b) {
    scales[b] = d * static_cast<float>(scale_codes[b]);
    mins[b] = dmin * static_cast<float>(min_codes[b]);
  }
  unpack_codes_q4_k(block, codes);
}

void decode_q4_k(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ4K*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ4K, ++block) {
    uint8_t codes[kElementsQ4K];
    float scales[8], mins[8];
    unpack_q4_k(*block, codes, scales, mins);
    for (int b = 0; b < 8; ++b) {
      for (int i = 32 * b; i < 32 * (b + 1); ++i)
        out[begin + i] = scales[b] * static_cast<float>(codes[i]) - mins[b];
    }
  }
}

void encode_weighted_q4_k(const float* in, const float* importance, void* blocks, int64_t n) {
  with_widest_vectors([=] {
    auto* block = static_cast<BlockQ4K*>(blocks);
    for (int64_t begin = 0; begin < n; begin += kElementsQ4K, ++block) {
      AffineBlock found;
      AffineSearch<kGrid>(in + begin, importance != nullptr ? importance + begin : nullptr).run(&found);
      block->d = found.d;
      block->dmin = found.dmin;
      pack_k_scales(found.scales, found.mins, block->scales);
      for (int group = 0; group < 4; ++group)
        pack_nibbles(found.codes + 64 * group, 32, block->codes + 32 * group);
    }
  });
}

void encode_q4_k(const float* in, void* blocks, int64_t n) { encode_weighted_q4_k(in, nullptr, blocks, n); }

}  // namespace plm::quant
