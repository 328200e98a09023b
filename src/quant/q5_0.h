// Q5_0: 32 weights, 5 bits each around zero, one scale. 5.5 bits a weight.
//
//   byte  0  1 | 2 .. 5                     | 6 .. 21
//         d    | high: bit i is bit 4 of    | low: byte j holds bits 0-3 of element j (low nibble)
//              | element i (little endian)  |      and of element j + 16 (high nibble)
//
//   value = d * (code - 16), code 0..31
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ5_0 = 32;

struct BlockQ5_0 {
  uint16_t d;  // f16 bits
  uint8_t high[4];
  uint8_t low[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

// Codes in order of elements; decode gives exactly *scale * float(code - 16).
void unpack_q5_0(const BlockQ5_0& block, uint8_t codes[32], float* scale);

void decode_q5_0(const void* blocks, float* out, int64_t n);
void encode_q5_0(const float* in, void* blocks, int64_t n);
void encode_weighted_q5_0(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
