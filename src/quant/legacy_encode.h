// What the encoders of the 32-element formats share. The arithmetic, its order and its roundings are
// those of the `gguf` Python package, so that files come out equal byte for byte.
#pragma once

#include <cmath>
#include <cstdint>

namespace plm::quant {

inline constexpr float kLargestF16 = 65504.0f;

// A scale that f16 can hold; only blocks beyond the range of the format are changed by it. What is not
// a number becomes 0.
inline float saturate_scale(float scale) {
  if (std::isnan(scale)) return 0.0f;
  if (scale > kLargestF16) return kLargestF16;
  if (scale < -kLargestF16) return -kLargestF16;
  return scale;
}

// 1 / scale, or 0 where that is no finite number (a block of zeros, or of numbers so small that the
// scale is 0 in f16 anyway).
inline float inverse_scale(float scale) {
  const float inverse = 1.0f / scale;
  return scale != 0.0f && std::fabs(inverse) <= 3.4028235e38f ? inverse : 0.0f;
}

// Truncates to a code in 0..largest; what is not a number becomes 0.
inline uint8_t truncate_code(float value, float largest) {
  value = value > 0.0f ? value : 0.0f;
  value = value < largest ? value : largest;
  return static_cast<uint8_t>(static_cast<int>(value));
}

// The first element of greatest magnitude, with its sign.
inline float signed_extreme(const float* x, int n) {
  float largest = 0.0f;
  for (int i = 0; i < n; ++i) largest = std::fabs(x[i]) > largest ? std::fabs(x[i]) : largest;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) == largest) return x[i];
  }
  return 0.0f;
}

struct Extent {
  float least, greatest;
};

inline Extent extent_of(const float* x, int n) {
  Extent extent{x[0], x[0]};
  for (int i = 1; i < n; ++i) {
    extent.least = x[i] < extent.least ? x[i] : extent.least;
    extent.greatest = x[i] > extent.greatest ? x[i] : extent.greatest;
  }
  return extent;
}

// Codes of a format around zero with 2 * half levels: the extreme element becomes code 0. Returns
// the scale before its rounding to f16.
inline float encode_around_zero(const float x[32], int half, uint8_t codes[32]) {
  const float scale = saturate_scale(signed_extreme(x, 32) / static_cast<float>(-half));
  const float inverse = inverse_scale(scale);
  const float middle = static_cast<float>(half) + 0.5f;
  const auto largest = static_cast<float>(2 * half - 1);
  for (int i = 0; i < 32; ++i) codes[i] = truncate_code(x[i] * inverse + middle, largest);
  return scale;
}

// Codes 0..largest above the least element.
inline void encode_above_minimum(const float x[32], int largest, uint8_t codes[32], float* scale,
                                 float* min) {
  const Extent extent = extent_of(x, 32);
  *min = saturate_scale(extent.least);
  *scale = saturate_scale((extent.greatest - *min) / static_cast<float>(largest));
  const float inverse = inverse_scale(*scale);
  for (int i = 0; i < 32; ++i) {
    codes[i] = truncate_code((x[i] - *min) * inverse + 0.5f, static_cast<float>(largest));
  }
}

}  // namespace plm::quant
