// How many neurons fired for the tokens that answers wrote last, by layer: what the page shows live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/step.h"

namespace plm::scheduler {

// Sums over the steps of answers alone: those that read prompts fire differently. Not thread safe.
class RecentActivity {
 public:
  static constexpr size_t kSteps = 16;

  // Takes what a model has counted since it began; what came since the call before belongs to the step at
  // hand.
  void add_answer_step(const model::SparsityCounts& so_far);
  void skip_step(const model::SparsityCounts& so_far) { seen_ = so_far; }

  // Of the last kSteps steps of answers. No layers where the model has no squared ReLU.
  const model::SparsityCounts& recent() const { return recent_; }

 private:
  void count(const model::SparsityCounts& step, int64_t sign);

  model::SparsityCounts seen_, recent_;
  std::vector<model::SparsityCounts> steps_;  // a ring
  size_t next_ = 0;
};

}  // namespace plm::scheduler
