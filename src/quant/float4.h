// Four floats at once, in the compilers' portable vector notation: 16 bytes are a register on every
// 64-bit machine, so the search for scales gives the same bits on all of them. Sums keep the order
// (0 + 1) + (2 + 3).
#pragma once

#include <cstring>

namespace plm::quant {

using Float4 = float __attribute__((vector_size(16)));

inline Float4 load4(const float* x) {
  Float4 v;
  std::memcpy(&v, x, sizeof v);
  return v;
}

inline Float4 splat4(float x) { return Float4{x, x, x, x}; }

inline Float4 clamp4(Float4 v, Float4 least, Float4 greatest) {
  v = v < least ? least : v;
  return v > greatest ? greatest : v;
}

// To the nearest whole number, ties to even, for |v| < 2^22: adding 1.5 * 2^23 leaves no fraction bits.
inline Float4 round4(Float4 v) {
  const Float4 magic = splat4(0x1.8p23f);
  return (v + magic) - magic;
}

inline float sum4(Float4 v) { return (v[0] + v[1]) + (v[2] + v[3]); }

}  // namespace plm::quant
