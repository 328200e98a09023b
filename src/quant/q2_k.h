// Q2_K: 256 weights in 16 sub-blocks of 16, 2 bits each above a minimum. 2.625 bits a weight.
//
//   byte  0 .. 15                      | 16 .. 79                                       | 80 81 | 82 83
//         scales: byte b is sub-block  | codes: two halves of 32 bytes, one for each    | d     | dmin
//         b, low nibble its scale,     | 128 elements; bits 2k, 2k+1 of byte j of half  |       |
//         high nibble its minimum      | h are element 128 h + 32 k + j                 |       |
//
//   value = (d * scale) * code - dmin * min, code 0..3
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ2K = 256;

struct BlockQ2K {
  uint8_t scales[16];
  uint8_t codes[64];
  uint16_t d;     // f16 bits
  uint16_t dmin;  // f16 bits
};
static_assert(sizeof(BlockQ2K) == 84);

// The packed integers: sub-block b has the scale d * scales[b] and the minimum dmin * mins[b],
// both 0..15.
void unpack_scales_q2_k(const BlockQ2K& block, uint8_t scales[16], uint8_t mins[16]);

// Codes in order of elements, 0..3.
void unpack_codes_q2_k(const BlockQ2K& block, uint8_t codes[256]);

// decode gives exactly scales[i / 16] * float(code[i]) - mins[i / 16], rounded twice.
void unpack_q2_k(const BlockQ2K& block, uint8_t codes[256], float scales[16], float mins[16]);

void decode_q2_k(const void* blocks, float* out, int64_t n);
void encode_q2_k(const float* in, void* blocks, int64_t n);
void encode_weighted_q2_k(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
