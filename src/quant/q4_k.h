// Q4_K: 256 weights in 8 sub-blocks of 32, 4 bits each above a minimum. 4.5 bits a weight.
//
//   byte  0  1 | 2  3 | 4 .. 15            | 16 .. 143
//         d    | dmin | scales and minima, | codes: four groups of 32 bytes, one for each 64 elements;
//              |      | see k_scales.h     | byte j of group g holds element 64 g + j (low nibble) and
//              |      |                    | 64 g + 32 + j (high nibble)
//
//   value = (d * scale) * code - dmin * min, code 0..15, scale and min 0..63
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ4K = 256;

struct BlockQ4K {
  uint16_t d;     // f16 bits
  uint16_t dmin;  // f16 bits
  uint8_t scales[12];
  uint8_t codes[128];
};
static_assert(sizeof(BlockQ4K) == 144);

// The packed integers: sub-block b has the scale d * scales[b] and the minimum dmin * mins[b],
// both 0..63.
void unpack_scales_q4_k(const BlockQ4K& block, uint8_t scales[8], uint8_t mins[8]);

// Codes in order of elements, 0..15.
void unpack_codes_q4_k(const BlockQ4K& block, uint8_t codes[256]);

// decode gives exactly scales[i / 32] * float(code[i]) - mins[i / 32], rounded twice.
void unpack_q4_k(const BlockQ4K& block, uint8_t codes[256], float scales[8], float mins[8]);

void decode_q4_k(const void* blocks, float* out, int64_t n);
void encode_q4_k(const float* in, void* blocks, int64_t n);
void encode_weighted_q4_k(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
