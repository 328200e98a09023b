#include "quant/q5_1.h"

#include "base/half.h"
#include "quant/legacy_encode.h"
#include "quant/packing.h"
#include "quant/small_block_search.h"

namespace plm::quant {
namespace {

constexpr TrialScales kTrials{.below = 0.6f, .above = 2.4f, .step = 0.4f};

}  // namespace

void unpack_q5_1(const BlockQ5_1& block, uint8_t codes[32], float* scale, float* min) {
  *scale = f16_to_f32(block.d);
  *min = f16_to_f32(block.m);
  unpack_nibbles(block.low, 16, codes);
  add_fifth_bits(block.high, codes);
}

void decode_q5_1(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const BlockQ5_1*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ5_1, ++block) {
    uint8_t codes[kElementsQ5_1];
    float scale, min;
    unpack_q5_1(*block, codes, &scale, &min);
    for (int i = 0; i < kElementsQ5_1; ++i) out[begin + i] = scale * static_cast<float>(codes[i]) + min;
  }
}

void encode_q5_1(const float* in, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ5_1*>(blocks);
  for (int64_t begin = 0; begin < n; begin += kElementsQ5_1, ++block) {
    uint8_t codes[kElementsQ5_1];
    float scale, min;
    encode_above_minimum(in + begin, 31, codes, &scale, &min);
    block->d = f32_to_f16(scale);
    block->m = f32_to_f16(min);
    pack_nibbles(codes, 16, block->low);
    pack_fifth_bits(codes, block->high);
  }
}

void encode_weighted_q5_1(const float* in, const float* importance, void* blocks, int64_t n) {
  encode_small_blocks<AffineLevels<31, kTrials>, BlockQ5_1>(in, importance, blocks, n,
                                                            [](const SmallBlock& found, BlockQ5_1& block) {
                                                              block.d = found.d;
                                                              block.m = found.m;
                                                              pack_nibbles(found.codes, 16, block.low);
                                                              pack_fifth_bits(found.codes, block.high);
                                                            });
}

}  // namespace plm::quant
