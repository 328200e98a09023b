#include "quant/q5_1.h"

#include "base/half.h"
#include "quant/legacy_encode.h"
#include "quant/packing.h"

namespace plm::quant {

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

}  // namespace plm::quant
