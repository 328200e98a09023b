// The search behind Q2_K, Q4_K and Q5_K, whose values are d * scale * code - dmin * min: find the
// integers and the two f16 factors of (nearly) least weighted squared error.
//
// 1. For each sub-block alone, real scale and minimum: rounding with many trial scales and offsets, each
//    followed by the least-squares fit to the codes it gave; then fit and rounding in turns.
// 2. d and dmin so that the largest scale and minimum become `top`, for several `top`; for each the
//    integers next to the real numbers that leave the least error.
// 3. Least squares for d and dmin with all integers fixed, and the integers once more; kept if better.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "quant/float4.h"
#include "quant/k_block.h"

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
  AffineSearch(const float* in, const float* importance) : block_(in, importance) {}

  void run(AffineBlock* out) {
    float largest_scale = 0, largest_min = 0;
    for (int b = 0; b < kSubBlocks; ++b) {
      fit_[b] = fit_sub_block(b);
      largest_scale = std::max(largest_scale, fit_[b].scale);
      largest_min = std::max(largest_min, fit_[b].min);
    }
    Choice best;
    for (int i = 0; i < kGrid.n_tops; ++i) {
      const auto top = static_cast<float>(kGrid.largest_scale - i);
      Choice trial;
      trial.d = round_factor(largest_scale / top, block_.unit);
      trial.dmin = round_factor(largest_min / top, block_.unit);
      for (int b = 0; b < kSubBlocks; ++b) {
        trial.scales[b] = nearest(fit_[b].scale, trial.d.value);
        trial.mins[b] = nearest(fit_[b].min, trial.dmin.value);
      }
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

  struct Fit {
    float scale = 0, min = 0;
    float gain = -1;  // how much of the weighted sum of squares it explains
  };

  struct Choice {
    HalfFactor d{}, dmin{};
    int scales[16], mins[16];
    double error = HUGE_VAL;
  };

  static int nearest(float value, float factor) {
    if (factor == 0.0f) return 0;
    const float ratio = std::min(value / factor, static_cast<float>(kGrid.largest_scale));
    return static_cast<int>(std::lround(ratio));  // neither value nor factor is negative
  }

  static Float4 code_of(Float4 x, Float4 min, Float4 inverse) {
    return round4(clamp4((x + min) * inverse, splat4(0), splat4(kLargestCode)));
  }

  // The codes that (scale, min) give, then the least-squares scale and min for those codes.
  Fit least_squares(int b, float inverse, float min, float sum_w, float sum_x) const {
    Float4 l4{}, ll4{}, xl4{};
    for (int i = kSize * b; i < kSize * (b + 1); i += 4) {
      const Float4 x = load4(block_.x + i);
      const Float4 code = code_of(x, splat4(min), splat4(inverse));
      const Float4 weighted = load4(block_.weight + i) * code;
      l4 += weighted;
      ll4 += weighted * code;
      xl4 += weighted * x;
    }
    const float sum_l = sum4(l4), sum_ll = sum4(ll4), sum_xl = sum4(xl4);
    const float determinant = sum_w * sum_ll - sum_l * sum_l;
    Fit fit;
    if (determinant > 1e-6f * sum_w * sum_ll) {
      fit.scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
      fit.min = (sum_l * sum_xl - sum_ll * sum_x) / determinant;
    }
    if (fit.min <= 0 || fit.scale <= 0) {  // minima cannot be negative: the best without one
      fit.min = 0;
      fit.scale = sum_ll > 0 ? std::max(0.0f, sum_xl / sum_ll) : 0.0f;
    }
    fit.gain = fit.scale * sum_xl - fit.min * sum_x;
    return fit;
  }

  Fit fit_sub_block(int b) const {
    float least = 0, greatest = block_.x[kSize * b], sum_w = 0, sum_x = 0;
    for (int i = kSize * b; i < kSize * (b + 1); ++i) {
      least = std::min(least, block_.x[i]);
      greatest = std::max(greatest, block_.x[i]);
      sum_w += block_.weight[i];
      sum_x += block_.weight[i] * block_.x[i];
    }
    // A constant: the minimum alone, which also holds when no trial below is better.
    Fit best;
    best.min = std::max(0.0f, -sum_x / sum_w);
    best.gain = -best.min * sum_x;
    if (!(greatest > least)) return best;
    const float step = (greatest - least) / kLargestCode;
    for (int offset = 0; offset < kGrid.n_offsets; ++offset) {
      const float low = std::min(0.0f, least + 0.5f * static_cast<float>(offset) * step);
      for (float t = kLargestCode - kGrid.below; t <= kLargestCode + kGrid.above; t += kGrid.step) {
        const Fit fit = least_squares(b, t / (greatest - low), -low, sum_w, sum_x);
        if (fit.gain > best.gain) best = fit;
      }
    }
    for (int round = 0; round < 4 && best.scale > 0; ++round) {
      const Fit fit = least_squares(b, 1.0f / best.scale, best.min, sum_w, sum_x);
      if (!(fit.gain > best.gain)) break;
      best = fit;
    }
    return best;
  }

  float error_of(int b, float scale, float min) const {
    const Float4 inverse = splat4(scale > 0 ? 1.0f / scale : 0.0f);
    Float4 error{};
    for (int i = kSize * b; i < kSize * (b + 1); i += 4) {
      const Float4 x = load4(block_.x + i);
      const Float4 difference = x + splat4(min) - splat4(scale) * code_of(x, splat4(min), inverse);
      error += load4(block_.weight + i) * difference * difference;
    }
    return sum4(error);
  }

  // The integers within one of the present ones that leave the least error.
  void choose_integers(Choice* choice) const {
    choice->error = 0;
    for (int b = 0; b < kSubBlocks; ++b) {
      const int scale = choice->scales[b], min = choice->mins[b];
      float least_error = HUGE_VALF;
      for (int s = std::max(0, scale - 1); s <= std::min(kGrid.largest_scale, scale + 1); ++s) {
        for (int m = std::max(0, min - 1); m <= std::min(kGrid.largest_scale, min + 1); ++m) {
          const float error = error_of(b, choice->d.value * static_cast<float>(s),
                                       choice->dmin.value * static_cast<float>(m));
          if (error >= least_error) continue;
          least_error = error;
          choice->scales[b] = s;
          choice->mins[b] = m;
        }
      }
      choice->error += least_error;
    }
  }

  // Least squares for d and dmin: x is to be d * (scale * code) - dmin * min.
  void refit_factors(Choice* choice) const {
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (int b = 0; b < kSubBlocks; ++b) {
      const auto s = static_cast<float>(choice->scales[b]);
      const auto m = static_cast<float>(choice->mins[b]);
      const float scale = choice->d.value * s;
      const Float4 inverse = splat4(scale > 0 ? 1.0f / scale : 0.0f);
      Float4 l4{}, ll4{}, xl4{}, w4{}, x4{};
      for (int i = kSize * b; i < kSize * (b + 1); i += 4) {
        const Float4 x = load4(block_.x + i), w = load4(block_.weight + i);
        const Float4 code = code_of(x, splat4(choice->dmin.value * m), inverse);
        l4 += w * code;
        ll4 += w * code * code;
        xl4 += w * code * x;
        w4 += w;
        x4 += w * x;
      }
      aa += s * s * sum4(ll4);
      ab += s * m * sum4(l4);
      bb += m * m * sum4(w4);
      xa += s * sum4(xl4);
      xb += m * sum4(x4);
    }
    const double determinant = aa * bb - ab * ab;
    double d = aa > 0 ? xa / aa : 0, dmin = 0;
    if (determinant > 1e-9 * aa * bb) {
      d = (xa * bb - ab * xb) / determinant;
      dmin = (ab * xa - aa * xb) / determinant;
    }
    if (!(d >= 0) || !(dmin >= 0)) return;
    choice->d = round_factor(static_cast<float>(d), block_.unit);
    choice->dmin = round_factor(static_cast<float>(dmin), block_.unit);
  }

  void write(const Choice& choice, AffineBlock* out) const {
    out->d = choice.d.bits;
    out->dmin = choice.dmin.bits;
    for (int b = 0; b < kSubBlocks; ++b) {
      out->scales[b] = static_cast<uint8_t>(choice.scales[b]);
      out->mins[b] = static_cast<uint8_t>(choice.mins[b]);
      const float scale = choice.d.value * static_cast<float>(choice.scales[b]);
      const Float4 inverse = splat4(scale > 0 ? 1.0f / scale : 0.0f);
      const Float4 min = splat4(choice.dmin.value * static_cast<float>(choice.mins[b]));
      for (int i = kSize * b; i < kSize * (b + 1); i += 4) {
        const Float4 code = code_of(load4(block_.x + i), min, inverse);
        for (int j = 0; j < 4; ++j) out->codes[i + j] = static_cast<uint8_t>(static_cast<int>(code[j]));
      }
    }
  }

  KBlock block_;
  Fit fit_[16];
};

}  // namespace plm::quant
