// The filters of the sampler's chain, each as llama.cpp defines it. All keep at least one candidate.
#pragma once

#include "runtime/random.h"
#include "runtime/sampler_candidates.h"

namespace plm::runtime {

// The k best. k <= 0: all.
void filter_top_k(Candidates& candidates, int64_t k);

// The fewest best whose probabilities sum to p or more (Holtzman et al. 2019, arXiv 1904.09751). p >= 1: all.
void filter_top_p(Candidates& candidates, double p);

// Those at least p times as probable as the best (Nguyen et al. 2024, arXiv 2407.01082). p <= 0: all.
void filter_min_p(Candidates& candidates, double p);

// The fewest, nearest first to the expected surprise, whose probabilities sum to more than p (Meister et al.
// 2022, arXiv 2202.00666). p >= 1: all.
void filter_typical_p(Candidates& candidates, double p);

// Those whose logit is within n standard deviations of the best (Tang et al. 2024, arXiv 2411.07641). n <= 0:
// all.
void filter_top_n_sigma(Candidates& candidates, double n);

struct XtcOptions {
  double probability;  // of excluding at all
  double threshold;
};
// With the given probability removes all candidates of probability `threshold` or more but the least of them
// ("exclude top choices"). Draws one random number when it is on.
void filter_xtc(Candidates& candidates, const XtcOptions& options, RandomGenerator& random);

// Divides the logits; temperature above 0.
void apply_temperature(Candidates& candidates, float temperature);

// One of the candidates by their probabilities.
TokenId draw(Candidates& candidates, RandomGenerator& random);

// Mirostat 2 (Basu et al. 2020, arXiv 2007.14966): keeps the surprise of what is chosen near tau bits.
class Mirostat {
 public:
  Mirostat(double tau, double eta) : tau_(tau), eta_(eta), mu_(2 * tau) {}
  TokenId choose(Candidates& candidates, RandomGenerator& random);
  double mu() const { return mu_; }

 private:
  double tau_, eta_, mu_;  // bits
};

}  // namespace plm::runtime
