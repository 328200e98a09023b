// Q5_1: 32 weights, 5 bits each above a minimum, one scale. 6 bits a weight.
//
//   byte  0  1 | 2  3 | 4 .. 7                     | 8 .. 23
//         d    | m    | high: bit i is bit 4 of    | low: byte j holds bits 0-3 of element j (low
//              |      | element i (little endian)  |      nibble) and of element j + 16 (high nibble)
//
//   value = d * code + m, code 0..31
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ5_1 = 32;

struct BlockQ5_1 {
  uint16_t d;  // f16 bits
  uint16_t m;  // f16 bits; the least value, usually negative
  uint8_t high[4];
  uint8_t low[16];
};
static_assert(sizeof(BlockQ5_1) == 24);

// Codes in order of elements; decode gives exactly *scale * float(code) + *min, rounded twice.
void unpack_q5_1(const BlockQ5_1& block, uint8_t codes[32], float* scale, float* min);

void decode_q5_1(const void* blocks, float* out, int64_t n);
void encode_q5_1(const float* in, void* blocks, int64_t n);
void encode_weighted_q5_1(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
