// 16-bit floating point: IEEE half (f16) and bfloat16, converted exactly as hardware does (round to
// nearest even, NaN kept quiet).
#pragma once

#include <bit>
#include <cstdint>

namespace plm {

float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);

inline float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 64);  // quiet NaN
  return static_cast<uint16_t>((bits + (0x7fff + ((bits >> 16) & 1))) >> 16);
}

}  // namespace plm
