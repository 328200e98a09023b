// Q3_K: 256 weights in 16 sub-blocks of 16, 3 bits each around zero. 3.4375 bits a weight.
//
//   byte  0 .. 31                        | 32 .. 95                              | 96 .. 107 | 108 109
//         high: bit k of byte j is bit   | low: bits 0-1 of the codes, two       | scales    | d
//         2 of element 32 k + j          | halves of 32 bytes as in Q2_K         |           |
//
//   scales, 16 of 6 bits, stored + 32: byte b < 8 holds bits 0-3 of sub-block b (low nibble) and b + 8
//   (high nibble); bits 2k, 2k+1 of byte 8 + j are bits 4-5 of sub-block 4 k + j.
//
//   value = (d * scale) * (code - 4), code 0..7, scale -32..31
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ3K = 256;

struct BlockQ3K {
  uint8_t high[32];
  uint8_t low[64];
  uint8_t scales[12];
  uint16_t d;  // f16 bits
};
static_assert(sizeof(BlockQ3K) == 110);

// The packed integers: sub-block b has the scale d * scales[b], -32..31.
void unpack_scales_q3_k(const BlockQ3K& block, int8_t scales[16]);

// Codes in order of elements, 0..7; 4 stands for zero.
void unpack_codes_q3_k(const BlockQ3K& block, uint8_t codes[256]);

// decode gives exactly scales[i / 16] * float(code[i] - 4).
void unpack_q3_k(const BlockQ3K& block, uint8_t codes[256], float scales[16]);

void decode_q3_k(const void* blocks, float* out, int64_t n);
void encode_q3_k(const float* in, void* blocks, int64_t n);
void encode_weighted_q3_k(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
