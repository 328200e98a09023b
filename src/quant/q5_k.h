// Q5_K: 256 weights in 8 sub-blocks of 32, 5 bits each above a minimum. 5.5 bits a weight.
//
//   byte  0  1 | 2  3 | 4 .. 15            | 16 .. 47                       | 48 .. 175
//         d    | dmin | scales and minima, | high: bit k of byte j is bit   | low: bits 0-3 of the
//              |      | see k_scales.h     | 4 of element 32 k + j          | codes, as in Q4_K
//
//   value = (d * scale) * code - dmin * min, code 0..31, scale and min 0..63
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ5K = 256;

struct BlockQ5K {
  uint16_t d;     // f16 bits
  uint16_t dmin;  // f16 bits
  uint8_t scales[12];
  uint8_t high[32];
  uint8_t low[128];
};
static_assert(sizeof(BlockQ5K) == 176);

// The packed integers: sub-block b has the scale d * scales[b] and the minimum dmin * mins[b],
// both 0..63.
void unpack_scales_q5_k(const BlockQ5K& block, uint8_t scales[8], uint8_t mins[8]);

// Codes in order of elements, 0..31.
void unpack_codes_q5_k(const BlockQ5K& block, uint8_t codes[256]);

// decode gives exactly scales[i / 32] * float(code[i]) - mins[i / 32], rounded twice.
void unpack_q5_k(const BlockQ5K& block, uint8_t codes[256], float scales[8], float mins[8]);

void decode_q5_k(const void* blocks, float* out, int64_t n);
void encode_q5_k(const float* in, void* blocks, int64_t n);
void encode_weighted_q5_k(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
