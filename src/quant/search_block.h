// What the searches for scales share: kLanes blocks of kSize numbers side by side, each brought to a common
// size with its weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/half.h"
#include "quant/lanes.h"

namespace plm::quant {

inline constexpr float kGreatestF16 = 65504.0f;

// A factor of the packed block as f16 keeps it, and as the search sees it, in units of its block.
struct HalfFactor {
  uint16_t bits = 0;
  float value = 0;
};

// Rounds a factor to f16; one too small for it becomes the least f16 above zero, one too large the
// greatest, what is not a number zero.
inline HalfFactor round_factor(float value, float unit) {
  constexpr float kLeastF16 = 0x1p-24f;
  float factor = value * unit;
  if (std::isnan(factor)) factor = 0.0f;
  factor = std::clamp(factor, -kGreatestF16, kGreatestF16);
  if (factor != 0.0f && std::fabs(factor) < kLeastF16) factor = std::copysign(kLeastF16, factor);
  const uint16_t bits = f32_to_f16(factor);
  return {bits, f16_to_f32(bits) / unit};
}

// The power of two that brings the greatest magnitude into [1, 2), so that the search neither overflows nor
// loses denormals: x = in * (1 / unit). Numbers that are not finite count as zero.
inline float unit_of(const float* in, int n) {
  float largest = 0;
  for (int i = 0; i < n; ++i) largest = std::max(largest, std::isfinite(in[i]) ? std::fabs(in[i]) : 0.0f);
  return largest > 0 ? std::ldexp(1.0f, std::clamp(std::ilogb(largest), -126, 126)) : 1.0f;
}

// 1 / mean of n importances, or 0 where they say nothing.
inline float importance_scale(const float* importance, int n) {
  if (importance == nullptr) return 0;
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += importance[i];
  return sum > 0 && std::isfinite(sum) ? static_cast<float>(n / sum) : 0.0f;
}

// Weights this small relative to the mean still decide between codes nothing else decides.
inline constexpr float kLeastWeight = 1e-6f;

template <int kLanes, int kSize>
struct LaneBlocks {
  using Float = typename Lanes<kLanes>::Float;
  alignas(64) Float x[kSize];
  alignas(64) Float weight[kSize];

  // Fills one lane. scale: importance_scale() of the blocks that are judged together.
  void fill(int lane, const float* in, float unit, const float* importance, float scale) {
    const float inverse = 1.0f / unit;
    const bool weighs = importance != nullptr && scale > 0;
    for (int i = 0; i < kSize; ++i) {
      x[i][lane] = std::isfinite(in[i]) ? in[i] * inverse : 0.0f;
      weight[i][lane] = weighs ? kLeastWeight + std::max(0.0f, importance[i] * scale) : 1.0f;
    }
  }
};

}  // namespace plm::quant
