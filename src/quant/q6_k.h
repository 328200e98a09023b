// Q6_K: 256 weights in 16 sub-blocks of 16, 6 bits each around zero. 6.5625 bits a weight.
//
//   byte  0 .. 127                           | 128 .. 191                        | 192 .. 207 | 208 209
//         low: bits 0-3 of the codes, two    | high: bits 4-5, two halves of 32  | scales,    | d
//         halves of 64 bytes, one for each   | bytes; bits 2k, 2k+1 of byte j of | signed     |
//         128 elements: byte j < 64 of half  | half h belong to element          | bytes      |
//         h holds element 128 h + j (low     | 128 h + 32 k + j                  |            |
//         nibble) and 128 h + 64 + j (high)  |                                   |            |
//
//   value = (d * scale) * (code - 32), code 0..63, scale -128..127
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ6K = 256;

struct BlockQ6K {
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];  // sub-block b has the scale d * scales[b]
  uint16_t d;         // f16 bits
};
static_assert(sizeof(BlockQ6K) == 210);

// Codes in order of elements, 0..63; 32 stands for zero.
void unpack_codes_q6_k(const BlockQ6K& block, uint8_t codes[256]);

// decode gives exactly scales[i / 16] * float(code[i] - 32).
void unpack_q6_k(const BlockQ6K& block, uint8_t codes[256], float scales[16]);

void decode_q6_k(const void* blocks, float* out, int64_t n);
void encode_q6_k(const float* in, void* blocks, int64_t n);
void encode_weighted_q6_k(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
