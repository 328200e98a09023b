#include "quant/k_block.h"

#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "quant/legacy_encode.h"

namespace plm::quant {
namespace {

// Weights this small relative to the mean still decide between codes nothing else decides.
constexpr float kLeastWeight = 1e-6f;

void fill_weights(const float* importance, float weight[256]) {
  std::fill_n(weight, 256, 1.0f);
  if (importance == nullptr) return;
  double sum = 0;
  for (int i = 0; i < 256; ++i) sum += importance[i];
  if (!(sum > 0) || !std::isfinite(sum)) return;
  const double per_mean = 256 / sum;
  for (int i = 0; i < 256; ++i) {
    weight[i] = kLeastWeight + static_cast<float>(std::max(0.0, importance[i] * per_mean));
  }
}

}  // namespace

KBlock::KBlock(const float* in, const float* importance) : unit(1.0f) {
  float largest = 0;
  for (int i = 0; i < 256; ++i) {
    x[i] = std::isfinite(in[i]) ? in[i] : 0.0f;
    largest = std::max(largest, std::fabs(x[i]));
  }
  if (largest > 0) {
    const int exponent = std::clamp(std::ilogb(largest), -126, 126);
    unit = std::ldexp(1.0f, exponent);
    const float inverse = std::ldexp(1.0f, -exponent);
    for (float& value : x) value *= inverse;
  }
  fill_weights(importance, weight);
}

HalfFactor round_factor(float value, float unit) {
  constexpr float kLeastF16 = 0x1p-24f;
  float factor = saturate_scale(value * unit);
  if (factor != 0.0f && std::fabs(factor) < kLeastF16) factor = std::copysign(kLeastF16, factor);
  const uint16_t bits = f32_to_f16(factor);
  return {bits, f16_to_f32(bits) / unit};
}

}  // namespace plm::quant
