// The search behind Q3_K and Q6_K, whose values are d * scale * (code - half), 16 elements to a scale:
// find the integers and the f16 factor of (nearly) least weighted squared error.
//
// 1. For each sub-block alone a real scale, of either sign (there is one more level below zero than
//    above): rounding with many trial scales, each followed by the least-squares fit.
// 2. d so that the largest scale becomes `top`, for several `top` of either sign; for each the integers
//    next to the real numbers that leave the least error.
// 3. Least squares for d with all integers fixed, and the integers once more; kept if better.
//
// A sub-block is a lane (lanes.h).
#pragma once

#include "quant/search_block.h"

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
  CenteredSearch(const float* in, const float* importance) : unit_(unit_of(in, 256)) {
    const float scale = importance_scale(importance, 256);
    for (int b = 0; b < 16; ++b) {
      blocks_.fill(b, in + 16 * b, unit_, importance != nullptr ? importance + 16 * b : nullptr, scale);
    }
  }

  void run(CenteredBlock* out) {
    const Float fit = fit_sub_blocks();
    float extreme = 0;
    for (int b = 0; b < 16; ++b) {
      if (std::fabs(fit[b]) > std::fabs(extreme)) extreme = fit[b];
    }
    Choice best;
    try_top(fit, extreme, -kGrid.scale_half, &best);
    for (int i = 1; i <= kGrid.n_tops; ++i) {
      try_top(fit, extreme, kGrid.scale_half - i, &best);
      try_top(fit, extreme, i - kGrid.scale_half, &best);
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
  using L = Lanes<16>;
  using Float = L::Float;
  static constexpr auto kHalf = static_cast<float>(kGrid.half);
  static constexpr auto kScaleHalf = static_cast<float>(kGrid.scale_half);

  struct Choice {
    HalfFactor d;
    Float scales{};  // whole numbers
    double error = HUGE_VAL;
  };

  static Float level_of(Float x, Float inverse) { return L::round(L::clamp(x * inverse, -kHalf, kHalf - 1)); }

  // Weighted sums of level * level and x * level for the levels that 1 / scale gives.
  struct Sums {
    Float level_level{}, x_level{};
  };
  Sums sums(Float inverse) const {
    Sums result;
    for (int i = 0; i < 16; ++i) {
      const Float level = level_of(blocks_.x[i], inverse);
      const Float weighted = blocks_.weight[i] * level;
      result.level_level += weighted * level;
      result.x_level += weighted * blocks_.x[i];
    }
    return result;
  }

  Float fit_sub_blocks() const {
    Float largest{};
    for (int i = 0; i < 16; ++i) largest = L::max(largest, L::abs(blocks_.x[i]));
    const Float per_largest = L::inverse(largest);
    Float scale{}, gain{};
    const auto consider = [&](Float inverse) {
      const Sums s = sums(inverse);
      const Float fitted = s.x_level * L::inverse(s.level_level), fitted_gain = fitted * s.x_level;
      const auto better = fitted_gain > gain;
      scale = L::select(better, fitted, scale);
      gain = L::select(better, fitted_gain, gain);
    };
    for (float t = kHalf - kGrid.below; t <= kHalf + kGrid.above; t += kGrid.step) {
      consider(L::splat(t) * per_largest);
      consider(L::splat(-t) * per_largest);
    }
    for (int round = 0; round < 4; ++round) consider(L::inverse(scale));
    return scale;
  }

  void try_top(Float fit, float extreme, int top, Choice* best) const {
    Choice trial;
    trial.d = round_factor(extreme / static_cast<float>(top), unit_);
    const Float ratio = fit * L::inverse(L::splat(trial.d.value));
    trial.scales = L::round(L::clamp(ratio, -kScaleHalf, kScaleHalf - 1));
    choose_integers(&trial);
    if (trial.error < best->error) *best = trial;
  }

  Float errors(Float scale) const {
    const Float inverse = L::inverse(scale);
    Float error{};
    for (int i = 0; i < 16; ++i) {
      const Float difference = blocks_.x[i] - scale * level_of(blocks_.x[i], inverse);
      error += blocks_.weight[i] * difference * difference;
    }
    return error;
  }

  // The integers within one of the present ones that leave the least error.
  void choose_integers(Choice* choice) const {
    const Float scale = choice->scales;
    Float least = L::splat(HUGE_VALF);
    for (int ds = -1; ds <= 1; ++ds) {
      const Float s = L::clamp(scale + L::splat(static_cast<float>(ds)), -kScaleHalf, kScaleHalf - 1);
      const Float error = errors(L::splat(choice->d.value) * s);
      const auto better = error < least;
      least = L::select(better, error, least);
      choice->scales = L::select(better, s, choice->scales);
    }
    choice->error = 0;
    for (int b = 0; b < 16; ++b) choice->error += least[b];
  }

  // Least squares for d: x is to be d * (scale * level).
  void refit_factor(Choice* choice) const {
    const Sums s = sums(L::inverse(L::splat(choice->d.value) * choice->scales));
    double numerator = 0, denominator = 0;
    for (int b = 0; b < 16; ++b) {
      const double scale = choice->scales[b];
      numerator += scale * s.x_level[b];
      denominator += scale * scale * s.level_level[b];
    }
    if (denominator > 0) choice->d = round_factor(static_cast<float>(numerator / denominator), unit_);
  }

  void write(const Choice& choice, CenteredBlock* out) const {
    out->d = choice.d.bits;
    const Float inverse = L::inverse(L::splat(choice.d.value) * choice.scales);
    for (int b = 0; b < 16; ++b) out->scales[b] = static_cast<int8_t>(choice.scales[b]);
    for (int i = 0; i < 16; ++i) {
      const Float level = level_of(blocks_.x[i], inverse);
      for (int b = 0; b < 16; ++b) {
        out->codes[16 * b + i] = static_cast<uint8_t>(static_cast<int>(level[b]) + kGrid.half);
      }
    }
  }

  float unit_;
  LaneBlocks<16, 16> blocks_;
};

}  // namespace plm::quant
