// Q4_1: 32 weights, 4 bits each above a minimum, one scale. 5 bits a weight.
//
//   byte  0  1 | 2  3 | 4 .. 19
//         d    | m    | codes: byte j holds element j (low nibble) and element j + 16 (high nibble)
//
//   value = d * code + m, code 0..15
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ4_1 = 32;

struct BlockQ4_1 {
  uint16_t d;  // f16 bits
  uint16_t m;  // f16 bits; the least value, usually negative
  uint8_t codes[16];
};
static_assert(sizeof(BlockQ4_1) == 20);

// Codes in order of elements; decode gives exactly *scale * float(code) + *min, rounded twice.
void unpack_q4_1(const BlockQ4_1& block, uint8_t codes[32], float* scale, float* min);

void decode_q4_1(const void* blocks, float* out, int64_t n);
void encode_q4_1(const float* in, void* blocks, int64_t n);
void encode_weighted_q4_1(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
