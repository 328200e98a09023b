#include "scheduler/activity.h"

#include <utility>

namespace plm::scheduler {

void RecentActivity::count(const model::SparsityCounts& step, int64_t sign) {
  recent_.live_of_layer.resize(step.live_of_layer.size());
  for (size_t layer = 0; layer < step.live_of_layer.size(); ++layer) {
    recent_.live_of_layer[layer] += sign * step.live_of_layer[layer];
  }
  recent_.n_tokens += sign * step.n_tokens;
}

void RecentActivity::add_answer_step(const model::SparsityCounts& so_far) {
  model::SparsityCounts step = so_far;
  for (size_t layer = 0; layer < seen_.live_of_layer.size(); ++layer) {
    step.live_of_layer[layer] -= seen_.live_of_layer[layer];
  }
  step.n_tokens -= seen_.n_tokens;
  seen_ = so_far;
  if (steps_.size() < kSteps) {
    steps_.push_back(std::move(step));
    return count(steps_.back(), 1);
  }
  count(steps_[next_], -1);
  steps_[next_] = std::move(step);
  count(steps_[next_], 1);
  next_ = (next_ + 1) % kSteps;
}

}  // namespace plm::scheduler
