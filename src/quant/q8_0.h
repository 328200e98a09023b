// Q8_0: 32 weights, 8 bits each, one scale. 8.5 bits a weight.
//
//   byte  0  1 | 2 .. 33
//         d    | codes: signed bytes in order of elements
//
//   value = d * code, code -128..127 (encode writes -127..127)
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ8_0 = 32;

struct BlockQ8_0 {
  uint16_t d;  // f16 bits
  int8_t codes[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

// decode gives exactly *scale * float(code).
void unpack_q8_0(const BlockQ8_0& block, int8_t codes[32], float* scale);

void decode_q8_0(const void* blocks, float* out, int64_t n);
void encode_q8_0(const float* in, void* blocks, int64_t n);

}  // namespace plm::quant
