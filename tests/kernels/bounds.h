// The error bounds of docs/numerics.md.
#pragma once

#include <cstdint>

namespace plm::kernels::test {

inline constexpr double kUnitRoundoff = 0x1p-24;  // of float32
inline constexpr double kBf16Roundoff = 0x1p-8;   // eight significant bits
// What flushing a denormal number to zero may lose.
inline constexpr double kSmallestNormal = 0x1p-126;

// A float32 sum of n products, in any order, is within gamma(n) * sum |a_i||b_i| of the exact one.
inline double gamma(int64_t n) {
  const double nu = static_cast<double>(n) * kUnitRoundoff;
  return nu / (1 - nu);
}

// What rounding a number of a block to integers may change, if `scale` is the block's scale and
// `largest` its largest magnitude: half a step, and the roundings of x * inverse, of the inverse and
// of the scale.
inline double input_rounding(double scale, double largest) { return scale / 2 + 4 * kUnitRoundoff * largest; }

}  // namespace plm::kernels::test
