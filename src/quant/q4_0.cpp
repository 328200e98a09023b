#include "quant/q4_0.h"

#include "base/half.h"
#include "quant/legacy_encode.h"
#include "quant/packing.h"
#include "quant/small_block_search.h"

namespace plm::quant {
namespace {

constexpr TrialScales kTrials{.below = 1.0f, .above = 1.0f, .step = 0.1f};

}  // namespace

void unpack_q4_0(const BlockQ4_0& block, uint8_t codes[32], float* scale) {
  *scale = f16_to_f32(block.d);
  unpack_nibbles(block.codes, 16, codes);
}

void decode_q4_0(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ4_0*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ4_0, ++block) {
    uint8_t codes[kElementsQ4_0];
    float scale;
    unpack_q4_0(*block, codes, &scale);
    for (int i = 0; i < kElementsQ4_0; ++i) out[begin + i] = scale * static_cast<float>(codes[i] - 8);
  }
}

void encode_q4_0(const float* in, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_0*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ4_0, ++block) {
    uint8_t codes[kElementsQ4_0];
    block->d = f32_to_f16(encode_around_zero(in + begin, 8, codes));
    pack_nibbles(codes, 16, block->codes);
  }
}

void encode_weighted_q4_0(const float* in, const float* importance, void* blocks, int64_t n) {
  encode_small_blocks<CenteredLevels<8, kTrials>, BlockQ4_0>(in, importance, blocks, n,
                                                             [](const SmallBlock& found, BlockQ4_0& block) {
                                                               block.d = found.d;
                                                               pack_nibbles(found.codes, 16, block.codes);
                                                             });
}

}  // namespace plm::quant
