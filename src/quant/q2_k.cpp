#include "quant/q2_k.h"

#include "base/half.h"
#include "quant/affine_search.h"
#include "quant/packing.h"

namespace plm::quant {
namespace {

constexpr AffineGrid kGrid{.sub_block = 16,
                           .largest_code = 3,
                           .largest_scale = 15,
                           .below = 0.5f,
                           .above = 1.5f,
                           .step = 0.1f,
                           .n_offsets = 2,
                           .n_tops = 3};

}  // namespace

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

void encode_weighted_q2_k(const float* in, const float* importance, void* blocks, int64_t n) {
  with_widest_vectors([=] {
    auto* block = static_cast<BlockQ2K*>(blocks);
    for (int64_t begin = 0; begin < n; begin += kElementsQ2K, ++block) {
      AffineBlock found;
      AffineSearch<kGrid>(in + begin, importance != nullptr ? importance + begin : nullptr).run(&found);
      block->d = found.d;
      block->dmin = found.dmin;
      for (int b = 0; b < 16; ++b) {
        block->scales[b] = static_cast<uint8_t>(found.scales[b] | (found.mins[b] << 4));
      }
      pack_bit_pairs(found.codes, block->codes);
    }
  });
}

void encode_q2_k(const float* in, void* blocks, int64_t n) { encode_weighted_q2_k(in, nullptr, blocks, n); }

}  // namespace plm::quant
