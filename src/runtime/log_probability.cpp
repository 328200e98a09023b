#include "runtime/log_probability.h"

#include <algorithm>
#include <cmath>

namespace plm::runtime {

double log_sum_exp(std::span<const float> logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum);
}

tokenizer::TokenId most_likely(std::span<const float> logits) {
  size_t best = 0;
  for (size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  return static_cast<tokenizer::TokenId>(best);
}

int64_t scored_batch(int64_t batch_size, int64_t vocabulary_size) {
  constexpr int64_t kLogitBytes = int64_t{64} << 20;
  return std::clamp<int64_t>(kLogitBytes / (vocabulary_size * int64_t{sizeof(float)}), 1, batch_size);
}

}  // namespace plm::runtime
