#include "quant/q5_0.h"

#include "base/half.h"
#include "quant/legacy_encode.h"
#include "quant/packing.h"
#include "quant/small_block_search.h"

namespace plm::quant {
namespace {

constexpr TrialScales kTrials{.below = 1.0f, .above = 1.0f, .step = 0.15f};

}  // namespace

void unpack_q5_0(const BlockQ5_0& block, uint8_t codes[32], float* scale) {
  *scale = f16_to_f32(block.d);
  unpack_nibbles(block.low, 16, codes);
  add_fifth_bits(block.high, codes);
}

void decode_q5_0(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ5_0*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ5_0, ++block) {
    uint8_t codes[kElementsQ5_0];
    float scale;
    unpack_q5_0(*block, codes, &scale);
    for (int i = 0; i < kElementsQ5_0; ++i) out[begin + i] = scale * static_cast<float>(codes[i] - 16);
  }
}

void encode_q5_0(const float* in, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ5_0*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ5_0, ++block) {
    uint8_t codes[kElementsQ5_0];
    block->d = f32_to_f16(encode_around_zero(in + begin, 16, codes));
    pack_nibbles(codes, 16, block->low);
    pack_fifth_bits(codes, block->high);
  }
}

void encode_weighted_q5_0(const float* in, const float* importance, void* blocks, int64_t n) {
  encode_small_blocks<CenteredLevels<16, kTrials>, BlockQ5_0>(in, importance, blocks, n,
                                                              [](const SmallBlock& found, BlockQ5_0& block) {
                                                                block.d = found.d;
                                                                pack_nibbles(found.codes, 16, block.low);
                                                                pack_fifth_bits(found.codes, block.high);
                                                              });
}

}  // namespace plm::quant
