#include "runtime/sampler_candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace plm::runtime {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Above this the heap of select_best costs more than a partition of the whole list.
constexpr int64_t kMaxHeap = 1024;

// Calls visit(begin, end) for each block that holds a number not at most `threshold` (a NaN counts), which
// may grow on the way. Other blocks cost one comparison per element, which compilers turn into vector code.
template <class Visit>
void for_each_block_above(std::span<const float> numbers, const float& threshold, Visit&& visit) {
  constexpr size_t kBlock = 64;
  for (size_t begin = 0; begin < numbers.size(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, numbers.size());
    int any = 0;
    for (size_t i = begin; i < end; ++i) any |= !(numbers[i] <= threshold);
    if (any) visit(begin, end);
  }
}

// The best n of a dense array, in no order.
void select_best(std::span<const float> logits, size_t n, std::vector<Candidate>& best) {
  best.clear();
  float threshold = kMinusInfinity;
  for_each_block_above(logits, threshold, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      if (!(logits[i] > threshold)) continue;
      if (best.size() == n) {
        std::pop_heap(best.begin(), best.end(), is_better);
        best.pop_back();
      }
      best.push_back({static_cast<TokenId>(i), logits[i], 0.0});
      std::push_heap(best.begin(), best.end(), is_better);
      if (best.size() == n) threshold = best.front().logit;
    }
  });
}

}  // namespace

Result<float> check_logits(std::span<const float> logits) {
  float max = kMinusInfinity;
  bool has_nan = false;
  for_each_block_above(logits, max, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      has_nan |= std::isnan(logits[i]);
      max = std::max(max, logits[i]);
    }
  });
  if (has_nan) {
    const auto first = std::find_if(logits.begin(), logits.end(), [](float x) { return std::isnan(x); });
    return make_error(ErrorKind::bad_data, "cannot choose a token: the logit of token {} is not a number",
                      first - logits.begin());
  }
  if (max == kMinusInfinity) {
    return make_error(ErrorKind::bad_data, "cannot choose a token: none of {} logits is above -infinity",
                      logits.size());
  }
  if (std::isinf(max)) {
    return make_error(ErrorKind::bad_data, "cannot choose a token: the logit of token {} is infinite",
                      std::find(logits.begin(), logits.end(), max) - logits.begin());
  }
  return max;
}

Status Candidates::assign(std::span<const float> logits) {
  if (auto max = check_logits(logits); !max.ok()) return max.error();
  logits_.assign(logits.begin(), logits.end());
  list_.clear();
  is_list_ = false;
  is_sorted_ = false;
  return {};
}

void Candidates::become_list(float threshold) {
  list_.clear();
  for (size_t i = 0; i < logits_.size(); ++i) {
    if (logits_[i] >= threshold && logits_[i] > kMinusInfinity) {
      list_.push_back({static_cast<TokenId>(i), logits_[i], 0.0});
    }
  }
  is_list_ = true;
  is_sorted_ = false;
}

const std::vector<Candidate>& Candidates::list() {
  if (!is_list_) become_list(kMinusInfinity);
  return list_;
}

void Candidates::remove_first(int64_t n) { list_.erase(list_.begin(), list_.begin() + n); }

void Candidates::keep_first(int64_t n) { list_.resize(static_cast<size_t>(n)); }

void Candidates::keep_best(int64_t n) {
  if (!is_list_ && n <= kMaxHeap) {
    select_best(logits_, static_cast<size_t>(n), list_);
    is_list_ = true;
    is_sorted_ = false;
  } else if (n < static_cast<int64_t>(list().size())) {
    if (!is_sorted_) std::nth_element(list_.begin(), list_.begin() + n, list_.end(), is_better);
    list_.resize(static_cast<size_t>(n));
  }
  sort();
}

void Candidates::sort() {
  list();
  if (!is_sorted_) std::sort(list_.begin(), list_.end(), is_better);
  is_sorted_ = true;
}

float Candidates::max_logit() const {
  float max = kMinusInfinity;
  if (is_list_) {
    for (const Candidate& candidate : list_) max = std::max(max, candidate.logit);
  } else {
    for (const float logit : logits_) max = logit > max ? logit : max;
  }
  return max;
}

void Candidates::softmax() {
  list();
  const double max = max_logit();
  double sum = 0.0;
  for (Candidate& candidate : list_) {
    candidate.probability = std::exp(candidate.logit - max);
    sum += candidate.probability;
  }
  for (Candidate& candidate : list_) candidate.probability /= sum;
}

void Candidates::keep_at_least(float threshold) {
  if (!is_list_) return become_list(threshold);
  std::erase_if(list_, [threshold](const Candidate& candidate) { return candidate.logit < threshold; });
}

Candidates::Moments Candidates::logit_moments() const {
  double n = 0.0, sum = 0.0, sum_squares = 0.0;
  const auto for_each = [this](auto&& visit) {
    if (is_list_) {
      for (const Candidate& candidate : list_) visit(candidate.logit);
    } else {
      for (const float logit : logits_) visit(logit);
    }
  };
  for_each([&](double logit) {
    if (logit == kMinusInfinity) return;
    n += 1.0;
    sum += logit;
  });
  const double mean = sum / n;
  for_each([&](double logit) {
    if (logit != kMinusInfinity) sum_squares += (logit - mean) * (logit - mean);
  });
  return {mean, std::sqrt(sum_squares / n)};
}

void Candidates::rescale(float shift, float divisor) {
  if (is_list_) {
    for (Candidate& candidate : list_) candidate.logit = (candidate.logit - shift) / divisor;
  } else {
    for (float& logit : logits_) logit = (logit - shift) / divisor;
  }
}

}  // namespace plm::runtime
