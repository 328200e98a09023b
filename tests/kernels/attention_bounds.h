// The exact answer of attention for one query and how far a kernel may be from it. Derivation:
// docs/numerics.md, "Attention".
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "bounds.h"

namespace plm::kernels::test {

// How the products of a kernel may be rounded, relative.
struct ProductRounding {
  double score = 0, value = 0;
};

// A running softmax over values of a certain width.
class ExactAttention {
 public:
  explicit ExactAttention(size_t width) : out_(width, 0.0), size_(width, 0.0) {}

  // What was summed before: an exact state with a maximum of its own.
  void start(double maximum, double sum, const std::vector<float>& out) {
    start_maximum_ = maximum;
    start_sum_ = sum;
    start_out_ = out;
  }

  // A position: its score, the sum of the absolute products behind it, their number.
  void add(double score, double score_size, int64_t n_products, const std::vector<float>& value,
           const ProductRounding& rounding) {
    scores_.push_back(score);
    score_errors_.push_back((gamma(n_products + 2) + rounding.score) * score_size);
    values_.push_back(value);
    value_rounding_ = rounding.value;
  }

  void finish() {
    maximum_ = start_maximum_;
    for (size_t s = 0; s < scores_.size(); ++s) {
      maximum_ = std::max(maximum_, scores_[s]);
      maximum_error_ = std::max(maximum_error_, score_errors_[s]);
    }
    const int64_t n = static_cast<int64_t>(scores_.size()) + 4;
    if (start_sum_ > 0) {
      const double keep = std::exp(start_maximum_ - maximum_);
      const double error = exp_error(start_maximum_) + gamma(n);
      sum_ += keep * start_sum_;
      sum_error_ += keep * start_sum_ * error + kSmallestNormal;
      for (size_t c = 0; c < out_.size(); ++c) {
        out_[c] += keep * start_out_[c];
        size_[c] += keep * std::fabs(start_out_[c]) * error + kSmallestNormal;
      }
    }
    for (size_t s = 0; s < scores_.size(); ++s) {
      const double weight = std::exp(scores_[s] - maximum_);
      const double error = std::expm1(score_errors_[s]) + exp_error(scores_[s]) + gamma(n);
      sum_ += weight;
      sum_error_ += weight * error + kSmallestNormal;
      for (size_t c = 0; c < out_.size(); ++c) {
        const double value = values_[s][c];
        out_[c] += weight * value;
        size_[c] += std::fabs(value) * (weight * (error + value_rounding_) + kSmallestNormal);
      }
    }
  }

  // A maximum that is a little off only changes the unit that sum and out are given in.
  void expect(float maximum, float sum, const float* out) const {
    ASSERT_NEAR(maximum, maximum_, maximum_error_ + kUnitRoundoff * std::fabs(maximum_)) << "maximum";
    const double unit = std::exp(maximum - maximum_);
    ASSERT_NEAR(sum * unit, sum_, sum_error_) << "sum";
    for (size_t c = 0; c < out_.size(); ++c) ASSERT_NEAR(out[c] * unit, out_[c], size_[c]) << "value " << c;
  }

  // The same for out / sum; `times` for a kernel that went there in as many steps.
  void expect_normalised(const std::vector<double>& answer, int times) const {
    for (size_t c = 0; c < out_.size(); ++c) {
      const double exact = out_[c] / sum_;
      const double error = (size_[c] + std::fabs(exact) * sum_error_) / sum_;
      ASSERT_NEAR(answer[c], exact, times * error) << "value " << c;
    }
  }

 private:
  // Of a float32 e^(score - maximum): four units for the polynomial and its argument's reduction, and
  // the rounding of the difference.
  double exp_error(double score) const { return kUnitRoundoff * (4 + std::fabs(score - maximum_)); }

  double start_maximum_ = -std::numeric_limits<double>::infinity(), start_sum_ = 0;
  std::vector<float> start_out_;
  std::vector<double> scores_, score_errors_;
  std::vector<std::vector<float>> values_;
  double value_rounding_ = 0;

  double maximum_ = 0, maximum_error_ = 0, sum_ = 0, sum_error_ = 0;
  std::vector<double> out_, size_;  // size_: how far out may be off
};

}  // namespace plm::kernels::test
