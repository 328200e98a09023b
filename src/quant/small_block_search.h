// The search behind the formats of 32 elements with one factor of their own: Q4_0 and Q5_0 (d * level around
// zero), Q4_1 and Q5_1 (d * code + m), IQ4_NL (d * one of 16 values). Finds the factors of (nearly) least
// weighted squared error: rounding with many trial scales, each followed by the least-squares fit to the
// codes it gave, then fit and rounding in turns. 16 blocks at a time, one in each lane (lanes.h).
#pragma once

#include "quant/search_block.h"

namespace plm::quant {

// How hard to search: trial scales put the extreme `below` under to `above` over its outermost level.
struct TrialScales {
  float below, above, step;
};

// Levels -half .. half - 1.
template <int kHalf, TrialScales kTrials>
struct CenteredLevels {
  static constexpr bool kHasMinimum = false;
  static constexpr TrialScales kScales = kTrials;
  static constexpr float kExtreme = kHalf;
  template <class L>
  static typename L::Float nearest(typename L::Float v) {
    return L::round(L::clamp(v, -static_cast<float>(kHalf), static_cast<float>(kHalf - 1)));
  }
  static uint8_t code_of(float level) { return static_cast<uint8_t>(static_cast<int>(level) + kHalf); }
};

// Levels 0 .. largest above a minimum.
template <int kLargest, TrialScales kTrials>
struct AffineLevels {
  static constexpr bool kHasMinimum = true;
  static constexpr TrialScales kScales = kTrials;
  static constexpr float kExtreme = kLargest;
  template <class L>
  static typename L::Float nearest(typename L::Float v) {
    return L::round(L::clamp(v, 0.0f, static_cast<float>(kLargest)));
  }
  static uint8_t code_of(float level) { return static_cast<uint8_t>(static_cast<int>(level)); }
};

struct SmallBlock {
  uint16_t d, m;  // f16 bits; m only of formats with a minimum
  uint8_t codes[32];
};

template <class Levels>
class SmallBlockSearch {
 public:
  static constexpr int kBlocks = 16;

  // n_blocks <= kBlocks; importance may be null.
  SmallBlockSearch(const float* in, const float* importance, int n_blocks) : n_blocks_(n_blocks) {
    constexpr float kZeros[32] = {};
    for (int b = 0; b < kBlocks; ++b) {
      const float* block = b < n_blocks ? in + 32 * b : kZeros;
      const float* weight = importance != nullptr && b < n_blocks ? importance + 32 * b : nullptr;
      unit_[b] = unit_of(block, 32);
      blocks_.fill(b, block, unit_[b], weight, importance_scale(weight, 32));
    }
  }

  void run(SmallBlock* out) {
    if constexpr (Levels::kHasMinimum) {
      fit_with_minimum();
    } else {
      fit_scale();
    }
    Float scale{}, min{};
    for (int b = 0; b < n_blocks_; ++b) {
      const HalfFactor d = round_factor(scale_[b], unit_[b]), m = round_minimum(b);
      out[b].d = d.bits;
      out[b].m = m.bits;
      scale[b] = d.value;
      min[b] = m.value;
    }
    const Float inverse = L::inverse(scale);
    for (int i = 0; i < 32; ++i) {
      const Float level = Levels::template nearest<L>((blocks_.x[i] - min) * inverse);
      for (int b = 0; b < n_blocks_; ++b) out[b].codes[i] = Levels::code_of(level[b]);
    }
  }

 private:
  using L = Lanes<kBlocks>;
  using Float = L::Float;

  // A minimum may be any number, and zero where it is too small.
  HalfFactor round_minimum(int b) const {
    const float value = std::clamp(min_[b] * unit_[b], -kGreatestF16, kGreatestF16);
    const uint16_t bits = f32_to_f16(value);
    return {bits, f16_to_f32(bits) / unit_[b]};
  }

  void fit_scale() {
    Float largest{}, gain{};
    for (int i = 0; i < 32; ++i) largest = L::max(largest, L::abs(blocks_.x[i]));
    const Float per_largest = L::inverse(largest);
    const auto consider = [&](Float inverse) {
      Float sum_ll{}, sum_xl{};
      for (int i = 0; i < 32; ++i) {
        const Float level = Levels::template nearest<L>(blocks_.x[i] * inverse);
        const Float weighted = blocks_.weight[i] * level;
        sum_ll += weighted * level;
        sum_xl += weighted * blocks_.x[i];
      }
      const Float fitted = sum_xl * L::inverse(sum_ll), fitted_gain = fitted * sum_xl;
      const auto better = fitted_gain > gain;
      scale_ = L::select(better, fitted, scale_);
      gain = L::select(better, fitted_gain, gain);
    };
    constexpr TrialScales kTrials = Levels::kScales;
    for (float t = Levels::kExtreme - kTrials.below; t <= Levels::kExtreme + kTrials.above;
         t += kTrials.step) {
      consider(L::splat(t) * per_largest);
      consider(L::splat(-t) * per_largest);
    }
    for (int round = 0; round < 4; ++round) consider(L::inverse(scale_));
  }

  void fit_with_minimum() {
    Float least = blocks_.x[0], greatest = blocks_.x[0], sum_w{}, sum_x{};
    for (int i = 0; i < 32; ++i) {
      least = L::min(least, blocks_.x[i]);
      greatest = L::max(greatest, blocks_.x[i]);
      sum_w += blocks_.weight[i];
      sum_x += blocks_.weight[i] * blocks_.x[i];
    }
    // Where nothing is better: the minimum alone.
    min_ = sum_x / sum_w;
    Float gain = min_ * sum_x;
    const auto consider = [&](Float inverse, Float min) {
      Float sum_l{}, sum_ll{}, sum_xl{};
      for (int i = 0; i < 32; ++i) {
        const Float level = Levels::template nearest<L>((blocks_.x[i] - min) * inverse);
        const Float weighted = blocks_.weight[i] * level;
        sum_l += weighted;
        sum_ll += weighted * level;
        sum_xl += weighted * blocks_.x[i];
      }
      const Float determinant = sum_w * sum_ll - sum_l * sum_l, per_determinant = L::inverse(determinant);
      const Float scale = (sum_w * sum_xl - sum_x * sum_l) * per_determinant;
      const Float fitted_min = (sum_ll * sum_x - sum_l * sum_xl) * per_determinant;
      const Float fitted_gain = scale * sum_xl + fitted_min * sum_x;
      const auto better = (determinant > L::splat(1e-6f) * sum_w * sum_ll) & (fitted_gain > gain);
      scale_ = L::select(better, scale, scale_);
      min_ = L::select(better, fitted_min, min_);
      gain = L::select(better, fitted_gain, gain);
    };
    constexpr TrialScales kTrials = Levels::kScales;
    const Float step = (greatest - least) / L::splat(Levels::kExtreme);
    for (int offset = 0; offset < 3; ++offset) {
      const Float low = least + L::splat(0.5f * static_cast<float>(offset)) * step;
      const Float per_range = L::inverse(L::max(Float{}, greatest - low));
      for (float t = Levels::kExtreme - kTrials.below; t <= Levels::kExtreme + kTrials.above;
           t += kTrials.step) {
        consider(L::splat(t) * per_range, low);
      }
    }
    for (int round = 0; round < 4; ++round) consider(L::inverse(scale_), min_);
  }

  int n_blocks_;
  float unit_[kBlocks];
  LaneBlocks<kBlocks, 32> blocks_;
  Float scale_{}, min_{};
};

// Encodes n numbers: searches 16 blocks at a time and hands each to pack(found, block).
template <class Levels, class Block, class Pack>
void encode_small_blocks(const float* in, const float* importance, void* blocks, int64_t n, Pack pack) {
  auto* block = static_cast<Block*>(blocks);
  using Search = SmallBlockSearch<Levels>;
  with_widest_vectors([=]() mutable {
    constexpr int64_t kStride = 32 * Search::kBlocks;
    for (int64_t begin = 0; begin < n; begin += kStride) {
      const auto n_blocks = static_cast<int>(std::min<int64_t>(kStride, n - begin) / 32);
      SmallBlock found[Search::kBlocks];
      Search(in + begin, importance != nullptr ? importance + begin : nullptr, n_blocks).run(found);
      for (int b = 0; b < n_blocks; ++b, ++block) pack(found[b], *block);
    }
  });
}

}  // namespace plm::quant
