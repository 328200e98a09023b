// Q4_0: 32 weights, 4 bits each around zero, one scale. 4.5 bits a weight.
//
//   byte  0  1 | 2 .. 17
//         d    | codes: byte j holds element j (low nibble) and element j + 16 (high nibble)
//
//   value = d * (code - 8), code 0..15
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsQ4_0 = 32;

struct BlockQ4_0 {
  uint16_t d;  // f16 bits
  uint8_t codes[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

// Codes in order of elements; decode gives exactly *scale * float(code - 8).
void unpack_q4_0(const BlockQ4_0& block, uint8_t codes[32], float* scale);

void decode_q4_0(const void* blocks, float* out, int64_t n);
void encode_q4_0(const float* in, void* blocks, int64_t n);
void encode_weighted_q4_0(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
