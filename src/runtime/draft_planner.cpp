#include "runtime/draft_planner.h"

#include <algorithm>

namespace plm::runtime {

namespace {

// How much longer a step takes for each token more, until it is known: between what the models of docs/LOG.md
// need.
constexpr double kMoreForToken = 0.15;

double cost_of(int64_t n_tokens) { return 1 + kMoreForToken * static_cast<double>(n_tokens - 1); }

}  // namespace

void DraftRecord::count(int64_t n_drafted, int64_t n_accepted) {
  // About the last forty guesses. Behind the first that is wrong none was tried.
  constexpr double kForgets = 0.9;
  n_true_ = kForgets * n_true_ + static_cast<double>(n_accepted);
  n_tried_ = kForgets * n_tried_ + static_cast<double>(std::min(n_accepted + 1, n_drafted));
  constexpr int64_t kShortestWait = 16, kLongestWait = 256;
  n_without_ = 0;
  wait_ = n_accepted > 0 ? kShortestWait : std::min(2 * wait_, kLongestWait);
}

// One long pause of the machine does not count for much, nor does the first time, when all is cold.
void DraftPlanner::Mean::add(double measured) {
  constexpr int64_t kRemembers = 16;
  if (++n <= 2) {
    value = measured;
    return;
  }
  value += (std::min(measured, 2 * value) - value) / static_cast<double>(std::min(n - 1, kRemembers));
}

void DraftPlanner::count_step(int64_t n_tokens, double seconds) {
  if (n_tokens > kernels::kFineTokens) return;
  steps_[static_cast<size_t>(n_tokens)].add(seconds);
}

void DraftPlanner::count_drafting(int64_t n_tokens, double seconds) {
  if (n_tokens > 0) drafting_.add(seconds / static_cast<double>(n_tokens));
}

// What is not known is taken from the nearest smaller step that is.
double DraftPlanner::step_seconds(int64_t n_tokens) const {
  for (int64_t n = n_tokens; n >= 1; --n) {
    const Mean& known = steps_[static_cast<size_t>(n)];
    if (known.n > 0) return known.value * cost_of(n_tokens) / cost_of(n);
  }
  return cost_of(n_tokens);
}

std::vector<int64_t> DraftPlanner::plan(std::span<const DraftWish> wishes, int64_t n_others,
                                        int64_t most) const {
  std::vector<int64_t> n_drafted(wishes.size(), 0), best(wishes.size(), 0);
  const auto n_without = std::ssize(wishes) + n_others;
  if (n_without >= most) return best;
  if (!adapts_) {
    int64_t room = most - n_without;
    for (size_t i = 0; i < wishes.size(); ++i) {
      best[i] = std::clamp<int64_t>(wishes[i].most, 0, room);
      room -= best[i];
    }
    return best;
  }
  // Guess after guess, always the likeliest; the number at which tokens come quickest counts.
  std::vector<double> chance;  // that a sequence comes as far as its next guess, and that it is right
  for (const DraftWish& wish : wishes) chance.push_back(wish.chance);
  double tokens = static_cast<double>(n_without), best_rate = tokens / step_seconds(n_without);
  int64_t longest = 0;
  for (int64_t n = n_without + 1; n <= most; ++n) {
    size_t next = wishes.size();
    for (size_t i = 0; i < wishes.size(); ++i) {
      if (n_drafted[i] < wishes[i].most && (next == wishes.size() || chance[i] > chance[next])) next = i;
    }
    if (next == wishes.size()) break;
    tokens += chance[next];
    chance[next] *= wishes[next].chance;
    longest = std::max(longest, ++n_drafted[next]);
    const double rate = tokens / (step_seconds(n) + static_cast<double>(longest) * drafting_.value);
    if (rate <= best_rate) continue;
    best_rate = rate;
    best = n_drafted;
  }
  // Who was refused for long may show that its text has changed.
  int64_t n_tokens = n_without;
  for (const int64_t n : best) n_tokens += n;
  for (size_t i = 0; i < wishes.size() && n_tokens < most; ++i) {
    if (best[i] > 0 || !wishes[i].is_due || wishes[i].most == 0) continue;
    best[i] = 1;
    ++n_tokens;
  }
  return best;
}

}  // namespace plm::runtime
