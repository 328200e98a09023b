// The search behind Q2_K, Q4_K and Q5_K, whose values are d * scale * code - dmin * min: find the
// integers and the two f16 factors of (nearly) least weighted squared error.
//
// 1. For each sub-block alone, real scale and minimum: rounding with many trial scales and offsets, each
//    followed by the least-squares fit to the codes it gave; then fit and rounding in turns.
// 2. d and dmin so that the largest scale and minimum become `top`, for several `top`; for each the
//    integers next to the real numbers that leave the least error.
// 3. Least squares for d and dmin with all integers fixed, and the integers once more; kept if better.
//
// A sub-block is a lane (lanes.h).
#pragma once

#include "quant/search_block.h"

namespace plm::quant {

struct AffineGrid {
  int sub_block;      // elements that share a scale
  int largest_code;   // codes 0..largest_code
  int largest_scale;  // scale and min 0..largest_scale
  // How hard to search: trial scales from largest_code - below to largest_code + above steps per range.
  float below, above, step;
  int n_offsets;  // trial minima: 0..n_offsets-1 half steps above the least element
  int n_tops;     // trial values of `top`, from largest_scale down
};

// Arrays hold 256 / sub_block sub-blocks in front.
struct AffineBlock {
  uint16_t d, dmin;  // f16 bits
  uint8_t scales[16], mins[16];
  uint8_t codes[256];
};

template <AffineGrid kGrid>
class AffineSearch {
 public:
  AffineSearch(const float* in, const float* importance) : unit_(unit_of(in, 256)) {
    const float scale = importance_scale(importance, 256);
    for (int b = 0; b < kSubBlocks; ++b) {
      blocks_.fill(b, in + kSize * b, unit_, importance != nullptr ? importance + kSize * b : nullptr, scale);
    }
  }

  void run(AffineBlock* out) {
    const Fit fit = fit_sub_blocks();
    float largest_scale = 0, largest_min = 0;
    for (int b = 0; b < kSubBlocks; ++b) {
      largest_scale = std::max(largest_scale, fit.scale[b]);
      largest_min = std::max(largest_min, fit.min[b]);
    }
    Choice best;
    for (int i = 0; i < kGrid.n_tops; ++i) {
      const auto top = static_cast<float>(kGrid.largest_scale - i);
      Choice trial;
      trial.d = round_factor(largest_scale / top, unit_);
      trial.dmin = round_factor(largest_min / top, unit_);
      trial.scales = nearest(fit.scale, trial.d.value);
      trial.mins = nearest(fit.min, trial.dmin.value);
      choose_integers(&trial);
      if (trial.error < best.error) best = trial;
    }
    for (int round = 0; round < 3; ++round) {
      Choice trial = best;
      refit_factors(&trial);
      choose_integers(&trial);
      if (!(trial.error < best.error)) break;
      best = trial;
    }
    write(best, out);
  }

 private:
  static constexpr int kSize = kGrid.sub_block;
  static constexpr int kSubBlocks = 256 / kSize;
  static constexpr auto kLargestCode = static_cast<float>(kGrid.largest_code);
  static constexpr auto kLargestScale = static_cast<float>(kGrid.largest_scale);
  using L = Lanes<kSubBlocks>;
  using Float = typename L::Float;

  struct Fit {
    Float scale{}, min{};
    Float gain{};  // how much of the weighted sum of squares it explains
  };

  struct Choice {
    HalfFactor d, dmin;
    Float scales{}, mins{};  // whole numbers
    double error = HUGE_VAL;
  };

  static Float nearest(Float value, float factor) {
    if (factor == 0.0f) return Float{};
    return L::round(L::clamp(value / L::splat(factor), 0.0f, kLargestScale));
  }

  static Float code_of(Float x, Float min, Float inverse) {
    return L::round(L::clamp((x + min) * inverse, 0.0f, kLargestCode));
  }

  // The codes that (1 / inverse, min) give, then the least-squares scale and min for those codes.
  Fit least_squares(Float inverse, Float min, Float sum_w, Float sum_x) const {
    Float sum_l{}, sum_ll{}, sum_xl{};
    for (int i = 0; i < kSize; ++i) {
      const Float code = code_of(blocks_.x[i], min, inverse);
      const Float weighted = blocks_.weight[i] * code;
      sum_l += weighted;
      sum_ll += weighted * code;
      sum_xl += weighted * blocks_.x[i];
    }
    const Float zero{};
    const Float determinant = sum_w * sum_ll - sum_l * sum_l;
    const Float per_determinant = L::inverse(determinant);
    Fit fit;
    fit.scale = (sum_w * sum_xl - sum_x * sum_l) * per_determinant;
    fit.min = (sum_l * sum_xl - sum_ll * sum_x) * per_determinant;
    // Minima cannot be negative: the best without one.
    const auto usable =
        (determinant > L::splat(1e-6f) * sum_w * sum_ll) & (fit.min > zero) & (fit.scale > zero);
    fit.scale = L::select(usable, fit.scale, L::max(zero, sum_xl * L::inverse(sum_ll)));
    fit.min = L::select(usable, fit.min, zero);
    fit.gain = fit.scale * sum_xl - fit.min * sum_x;
    return fit;
  }

  static void keep_better(Fit* best, const Fit& fit) {
    const auto better = fit.gain > best->gain;
    best->scale = L::select(better, fit.scale, best->scale);
    best->min = L::select(better, fit.min, best->min);
    best->gain = L::select(better, fit.gain, best->gain);
  }

  Fit fit_sub_blocks() const {
    const Float zero{};
    Float least{}, greatest = blocks_.x[0], sum_w{}, sum_x{};
    for (int i = 0; i < kSize; ++i) {
      least = L::min(least, blocks_.x[i]);
      greatest = L::max(greatest, blocks_.x[i]);
      sum_w += blocks_.weight[i];
      sum_x += blocks_.weight[i] * blocks_.x[i];
    }
    // A constant: the minimum alone, which also holds when no trial below is better.
    Fit best;
    best.min = L::max(zero, -sum_x / sum_w);
    best.gain = -best.min * sum_x;
    const Float step = L::max(zero, greatest - least) / L::splat(kLargestCode);
    for (int offset = 0; offset < kGrid.n_offsets; ++offset) {
      const Float low = L::min(zero, least + L::splat(0.5f * static_cast<float>(offset)) * step);
      const Float per_range = L::inverse(L::max(zero, greatest - low));
      for (float t = kLargestCode - kGrid.below; t <= kLargestCode + kGrid.above; t += kGrid.step) {
        keep_better(&best, least_squares(L::splat(t) * per_range, -low, sum_w, sum_x));
      }
    }
    for (int round = 0; round < 4; ++round) {
      keep_better(&best, least_squares(L::inverse(best.scale), best.min, sum_w, sum_x));
    }
    return best;
  }

  Float errors(Float scale, Float min) const {
    const Float inverse = L::inverse(scale);
    Float error{};
    for (int i = 0; i < kSize; ++i) {
      const Float difference = blocks_.x[i] + min - scale * code_of(blocks_.x[i], min, inverse);
      error += blocks_.weight[i] * difference * difference;
    }
    return error;
  }

  // The integers within one of the present ones that leave the least error.
  void choose_integers(Choice* choice) const {
    const Float scale = choice->scales, min = choice->mins;
    Float least = L::splat(HUGE_VALF);
    for (int ds = -1; ds <= 1; ++ds) {
      for (int dm = -1; dm <= 1; ++dm) {
        const Float s = L::clamp(scale + L::splat(static_cast<float>(ds)), 0.0f, kLargestScale);
        const Float m = L::clamp(min + L::splat(static_cast<float>(dm)), 0.0f, kLargestScale);
        const Float error = errors(L::splat(choice->d.value) * s, L::splat(choice->dmin.value) * m);
        const auto better = error < least;
        least = L::select(better, error, least);
        choice->scales = L::select(better, s, choice->scales);
        choice->mins = L::select(better, m, choice->mins);
      }
    }
    choice->error = 0;
    for (int b = 0; b < kSubBlocks; ++b) choice->error += least[b];
  }

  // Least squares for d and dmin: x is to be d * (scale * code) - dmin * min.
  void refit_factors(Choice* choice) const {
    const Float scale = L::splat(choice->d.value) * choice->scales, inverse = L::inverse(scale);
    const Float min = L::splat(choice->dmin.value) * choice->mins;
    Float sum_l{}, sum_ll{}, sum_xl{}, sum_w{}, sum_x{};
    for (int i = 0; i < kSize; ++i) {
      const Float code = code_of(blocks_.x[i], min, inverse);
      const Float weighted = blocks_.weight[i] * code;
      sum_l += weighted;
      sum_ll += weighted * code;
      sum_xl += weighted * blocks_.x[i];
      sum_w += blocks_.weight[i];
      sum_x += blocks_.weight[i] * blocks_.x[i];
    }
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (int b = 0; b < kSubBlocks; ++b) {
      const double s = choice->scales[b], m = choice->mins[b];
      aa += s * s * sum_ll[b];
      ab += s * m * sum_l[b];
      bb += m * m * sum_w[b];
      xa += s * sum_xl[b];
      xb += m * sum_x[b];
    }
    const double determinant = aa * bb - ab * ab;
    double d = aa > 0 ? xa / aa : 0, dmin = 0;
    if (determinant > 1e-9 * aa * bb) {
      d = (xa * bb - ab * xb) / determinant;
      dmin = (ab * xa - aa * xb) / determinant;
    }
    if (!(d >= 0) || !(dmin >= 0)) return;
    choice->d = round_factor(static_cast<float>(d), unit_);
    choice->dmin = round_factor(static_cast<float>(dmin), unit_);
  }

  void write(const Choice& choice, AffineBlock* out) const {
    out->d = choice.d.bits;
    out->dmin = choice.dmin.bits;
    const Float scale = L::splat(choice.d.value) * choice.scales, inverse = L::inverse(scale);
    const Float min = L::splat(choice.dmin.value) * choice.mins;
    for (int b = 0; b < kSubBlocks; ++b) {
      out->scales[b] = static_cast<uint8_t>(choice.scales[b]);
      out->mins[b] = static_cast<uint8_t>(choice.mins[b]);
    }
    for (int i = 0; i < kSize; ++i) {
      const Float code = code_of(blocks_.x[i], min, inverse);
      for (int b = 0; b < kSubBlocks; ++b)
        out->codes[kSize * b + i] = static_cast<uint8_t>(static_cast<int>(code[b]));
    }
  }

  float unit_;
  LaneBlocks<kSubBlocks, kSize> blocks_;
};

}  // namespace plm::quant
