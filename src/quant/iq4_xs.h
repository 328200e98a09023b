// IQ4_XS: 256 weights in 8 sub-blocks of 32, 4 bits each that choose from the values of IQ4_NL. 4.25
// bits a weight. Read only.
//
//   byte  0  1 | 2  3                        | 4 .. 7                       | 8 .. 135
//         d    | scales_high (little endian):| scales_low: byte j holds     | codes: eight groups of 16
//              | bits 2b, 2b+1 are bits 4-5  | bits 0-3 of sub-block 2 j    | bytes, one for a sub-block,
//              | of the scale of sub-block b | (low nibble) and 2 j + 1     | each as in IQ4_NL
//
//   value = (d * scale) * kIq4Values[code], scale stored + 32: -32..31
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsIq4Xs = 256;

struct BlockIq4Xs {
  uint16_t d;  // f16 bits
  uint16_t scales_high;
  uint8_t scales_low[4];
  uint8_t codes[128];
};
static_assert(sizeof(BlockIq4Xs) == 136);

// The packed integers: sub-block b has the scale d * scales[b], -32..31.
void unpack_scales_iq4_xs(const BlockIq4Xs& block, int8_t scales[8]);

// Codes in order of elements, 0..15.
void unpack_codes_iq4_xs(const BlockIq4Xs& block, uint8_t codes[256]);

// decode gives exactly scales[i / 32] * float(kIq4Values[code[i]]).
void unpack_iq4_xs(const BlockIq4Xs& block, uint8_t codes[256], float scales[8]);

void decode_iq4_xs(const void* blocks, float* out, int64_t n);

}  // namespace plm::quant
