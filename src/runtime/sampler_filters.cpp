#include "runtime/sampler_filters.h"

#include <algorithm>
#include <cmath>

namespace plm::runtime {

namespace {

TokenId draw_from(const std::vector<Candidate>& list, RandomGenerator& random) {
  const double target = random.uniform();
  double cumulative = 0.0;
  for (const Candidate& candidate : list) {
    cumulative += candidate.probability;
    if (cumulative > target) return candidate.id;
  }
  return list.back().id;  // the probabilities sum to a little less than 1 by rounding
}

}  // namespace

void filter_top_k(Candidates& candidates, int64_t k) {
  if (k > 0) candidates.keep_best(k);
}

void filter_top_p(Candidates& candidates, double p) {
  if (p >= 1.0) return;
  candidates.softmax();
  double cumulative = 0.0;
  candidates.keep_until(is_better, [&](const Candidate& candidate) {
    cumulative += candidate.probability;
    return cumulative >= p;
  });
}

void filter_min_p(Candidates& candidates, double p) {
  if (p <= 0.0) return;
  const float max = candidates.max_logit();
  candidates.keep_at_least(std::min(max, static_cast<float>(max + std::log(p))));
}

void filter_typical_p(Candidates& candidates, double p) {
  if (p >= 1.0) return;
  candidates.softmax();
  double entropy = 0.0;
  for (const Candidate& candidate : candidates.list()) {
    if (candidate.probability > 0.0) entropy -= candidate.probability * std::log(candidate.probability);
  }
  const auto nearer = [entropy](const Candidate& a, const Candidate& b) {
    const double distance_a = std::abs(-std::log(a.probability) - entropy);
    const double distance_b = std::abs(-std::log(b.probability) - entropy);
    return distance_a != distance_b ? distance_a < distance_b : a.id < b.id;
  };
  double cumulative = 0.0;
  candidates.keep_until(nearer, [&](const Candidate& candidate) {
    cumulative += candidate.probability;
    return cumulative > p;
  });
}

void filter_top_n_sigma(Candidates& candidates, double n) {
  if (n <= 0.0) return;
  const float max = candidates.max_logit();
  const double width = n * candidates.logit_moments().standard_deviation;
  candidates.keep_at_least(std::min(max, static_cast<float>(max - width)));
}

void filter_xtc(Candidates& candidates, const XtcOptions& options, RandomGenerator& random) {
  if (options.probability <= 0.0 || options.threshold > 0.5) return;
  if (random.uniform() > options.probability) return;
  candidates.softmax();
  candidates.sort();
  const auto& list = candidates.list();
  const auto below = std::find_if(list.begin(), list.end(), [&](const Candidate& candidate) {
    return candidate.probability < options.threshold;
  });
  if (below - list.begin() >= 2) candidates.remove_first(below - list.begin() - 1);
}

void apply_temperature(Candidates& candidates, float temperature) {
  const float max = candidates.max_logit();
  const bool overflows = std::isinf(max / temperature);
  candidates.rescale(overflows ? max : 0.0f, temperature);
}

TokenId draw(Candidates& candidates, RandomGenerator& random) {
  candidates.softmax();
  return draw_from(candidates.list(), random);
}

TokenId Mirostat::choose(Candidates& candidates, RandomGenerator& random) {
  candidates.softmax();
  candidates.sort();
  const auto& list = candidates.list();
  const auto too_surprising = std::find_if(list.begin() + 1, list.end(), [this](const Candidate& candidate) {
    return -std::log2(candidate.probability) > mu_;
  });
  candidates.keep_first(too_surprising - list.begin());
  candidates.softmax();
  const TokenId chosen = draw_from(list, random);
  const auto it = std::find_if(list.begin(), list.end(), [&](const Candidate& c) { return c.id == chosen; });
  mu_ -= eta_ * (-std::log2(it->probability) - tau_);
  return chosen;
}

}  // namespace plm::runtime
