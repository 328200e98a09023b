// IQ4_NL: 32 weights, 4 bits each that choose from 16 unevenly spaced values, one scale. 4.5 bits a
// weight.
//
//   byte  0  1 | 2 .. 17
//         d    | codes: byte j holds element j (low nibble) and element j + 16 (high nibble)
//
//   value = d * kIq4Values[code]
#pragma once

#include <cstdint>

namespace plm::quant {

inline constexpr int kElementsIq4Nl = 32;

// The codebook of IQ4_NL and IQ4_XS, part of the format: dense near zero, wide at the ends.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

struct BlockIq4Nl {
  uint16_t d;  // f16 bits
  uint8_t codes[16];
};
static_assert(sizeof(BlockIq4Nl) == 18);

// Codes in order of elements; decode gives exactly *scale * float(kIq4Values[code]).
void unpack_iq4_nl(const BlockIq4Nl& block, uint8_t codes[32], float* scale);

void decode_iq4_nl(const void* blocks, float* out, int64_t n);
void encode_iq4_nl(const float* in, void* blocks, int64_t n);
void encode_weighted_iq4_nl(const float* in, const float* importance, void* blocks, int64_t n);

}  // namespace plm::quant
