// How many neurons fired for the tokens that answers wrote last, by layer: what the page shows live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/step.h"

namespace plm::scheduler {

// Sums over the steps of answers alone: those that read prompts fire differently. Not thread safe.
class RecentActivity {
 public:
  static constexpr size_t kSteps = 16;

  // Takes what a model counted in its last step, of the tokens that were kept: guesses at the next tokens
  // that were wrong are none of the answer.
  void add_answer_step(const model::SparsityCounts& counts, std::span<const int64_t> kept);

  // Of the last kSteps steps of answers. No layers where the model has no squared ReLU.
  const model::SparsityCounts& recent() const { return recent_; }

 private:
  void count(const model::SparsityCounts& step, int64_t sign);

  model::SparsityCounts recent_;
  std::vector<model::SparsityCounts> steps_;  // a ring
  size_t next_ = 0;
};

}  // namespace plm::scheduler
