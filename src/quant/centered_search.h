// The search behind Q3_K and Q6_K, whose values are d * scale * (code - half), 16 elements to a scale:
// find the integers and the f16 factor of (nearly) least weighted squared error.
//
// 1. For each sub-block alone a real scale, of either sign (there is one more level below zero than
//    above): rounding with many trial scales, each followed by the least-squares fit.
// 2. d so that the largest scale becomes `top`, for several `top` of either sign; for each the integers
//    next to the real numbers that leave the least error.
// 3. Least squares for d with all integers fixed, and the integers once more; kept if better.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "quant/float4.h"
#include "quant/k_block.h"

namespace plm::quant {

struct CenteredGrid {
  int half;                  // codes 0..2 half - 1
  int scale_half;            // scales -scale_half..scale_half - 1
  float below, above, step;  // trial scales put the extreme at half - below .. half + above
  int n_tops;                // trial values of |top|, from scale_half - 1 down, and -scale_half
};

struct CenteredBlock {
  uint16_t d;  // f16 bits
  int8_t scales[16];
  uint8_t codes[256];
};

template <CenteredGrid kGrid>
class CenteredSearch {
 public:
  CenteredSearch(const float* in, const float* importance) : block_(in, importance) {}

  void run(CenteredBlock* out) {
    float extreme = 0;
    for (int b = 0; b < 16; ++b) {
      fit_[b] = fit_sub_block(b);
      if (std::fabs(fit_[b]) > std::fabs(extreme)) extreme = fit_[b];
    }
    Choice best;
    try_top(extreme, -kGrid.scale_half, &best);
    for (int i = 1; i <= kGrid.n_tops; ++i) {
      try_top(extreme, kGrid.scale_half - i, &best);
      try_top(extreme, i - kGrid.scale_half, &best);
    }
    for (int round = 0; round < 3; ++round) {
      Choice trial = best;
      refit_factor(&trial);
      choose_integers(&trial);
      if (!(trial.error < best.error)) break;
      best = trial;
    }
    write(best, out);
  }

 private:
  struct Choice {
    HalfFactor d{};
    int scales[16];
    double error = HUGE_VAL;
  };

  static Float4 level_of(Float4 x, Float4 inverse) {
    constexpr auto kHalf = static_cast<float>(kGrid.half);
    return round4(clamp4(x * inverse, splat4(-kHalf), splat4(kHalf - 1)));
  }

  static float inverse_of(float scale) { return scale != 0.0f ? 1.0f / scale : 0.0f; }

  // Weighted sums of level * level and x * level for the levels that 1 / scale gives.
  struct Sums {
    float level_level, x_level;
  };
  Sums sums(int b, float inverse) const {
    Float4 ll4{}, xl4{};
    for (int i = 16 * b; i < 16 * (b + 1); i += 4) {
      const Float4 x = load4(block_.x + i);
      const Float4 level = level_of(x, splat4(inverse));
      const Float4 weighted = load4(block_.weight + i) * level;
      ll4 += weighted * level;
      xl4 += weighted * x;
    }
    return {sum4(ll4), sum4(xl4)};
  }

  float fit_sub_block(int b) const {
    float largest = 0;
    for (int i = 16 * b; i < 16 * (b + 1); ++i) largest = std::max(largest, std::fabs(block_.x[i]));
    if (largest == 0) return 0;
    float scale = 0, best_gain = 0;
    const auto consider = [&](float inverse) {
      const Sums s = sums(b, inverse);
      if (!(s.x_level * s.x_level > best_gain * s.level_level)) return false;
      best_gain = s.x_level * s.x_level / s.level_level;
      scale = s.x_level / s.level_level;
      return true;
    };
    constexpr auto kHalf = static_cast<float>(kGrid.half);
    for (float t = kHalf - kGrid.below; t <= kHalf + kGrid.above; t += kGrid.step) {
      consider(t / largest);
      consider(-t / largest);
    }
    for (int round = 0; round < 4 && scale != 0; ++round) {
      if (!consider(1.0f / scale)) break;
    }
    return scale;
  }

  void try_top(float extreme, int top, Choice* best) const {
    Choice trial;
    trial.d = round_factor(extreme / static_cast<float>(top), block_.unit);
    for (int b = 0; b < 16; ++b) {
      const float ratio = fit_[b] * inverse_of(trial.d.value);
      trial.scales[b] =
          static_cast<int>(std::clamp(std::nearbyint(ratio), -static_cast<float>(kGrid.scale_half),
                                      static_cast<float>(kGrid.scale_half - 1)));
    }
    choose_integers(&trial);
    if (trial.error < best->error) *best = trial;
  }

  float error_of(int b, float scale) const {
    const Float4 inverse = splat4(inverse_of(scale));
    Float4 error{};
    for (int i = 16 * b; i < 16 * (b + 1); i += 4) {
      const Float4 x = load4(block_.x + i);
      const Float4 difference = x - splat4(scale) * level_of(x, inverse);
      error += load4(block_.weight + i) * difference * difference;
    }
    return sum4(error);
  }

  // The integers within one of the present ones that leave the least error.
  void choose_integers(Choice* choice) const {
    choice->error = 0;
    for (int b = 0; b < 16; ++b) {
      const int scale = choice->scales[b];
      float least_error = HUGE_VALF;
      for (int s = std::max(-kGrid.scale_half, scale - 1); s <= std::min(kGrid.scale_half - 1, scale + 1);
           ++s) {
        const float error = error_of(b, choice->d.value * static_cast<float>(s));
        if (error >= least_error) continue;
        least_error = error;
        choice->scales[b] = s;
      }
      choice->error += least_error;
    }
  }

  // Least squares for d: x is to be d * (scale * level).
  void refit_factor(Choice* choice) const {
    double numerator = 0, denominator = 0;
    for (int b = 0; b < 16; ++b) {
      const auto s = static_cast<float>(choice->scales[b]);
      const Sums level_sums = sums(b, inverse_of(choice->d.value * s));
      numerator += s * level_sums.x_level;
      denominator += s * s * level_sums.level_level;
    }
    if (denominator > 0) choice->d = round_factor(static_cast<float>(numerator / denominator), block_.unit);
  }

  void write(const Choice& choice, CenteredBlock* out) const {
    out->d = choice.d.bits;
    for (int b = 0; b < 16; ++b) {
      out->scales[b] = static_cast<int8_t>(choice.scales[b]);
      const Float4 inverse = splat4(inverse_of(choice.d.value * static_cast<float>(choice.scales[b])));
      for (int i = 16 * b; i < 16 * (b + 1); i += 4) {
        const Float4 level = level_of(load4(block_.x + i), inverse);
        for (int j = 0; j < 4; ++j) {
          out->codes[i + j] = static_cast<uint8_t>(static_cast<int>(level[j]) + kGrid.half);
        }
      }
    }
  }

  KBlock block_;
  float fit_[16];
};

}  // namespace plm::quant
