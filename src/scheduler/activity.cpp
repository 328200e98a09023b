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

void RecentActivity::add_answer_step(const model::SparsityCounts& counts, std::span<const int64_t> kept) {
  if (counts.last_live_TL.empty()) return;
  const size_t n_layers = counts.live_of_layer.size();
  model::SparsityCounts step{
      .live_of_layer = std::vector<int64_t>(n_layers), .n_tokens = std::ssize(kept), .last_live_TL = {}};
  for (const int64_t token : kept) {
    for (size_t layer = 0; layer < n_layers; ++layer) {
      step.live_of_layer[layer] += counts.last_live_TL[static_cast<size_t>(token) * n_layers + layer];
    }
  }
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
