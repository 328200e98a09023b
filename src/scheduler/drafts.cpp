// What the scheduler does with guesses at the next tokens of answers.
#include <algorithm>

#include "base/clock.h"
#include "scheduler/scheduler.h"

namespace plm::scheduler {

// Lets the answers of a step check guesses, as far as there is room.
void Scheduler::add_drafts(std::span<PlannedTurn> step, int64_t most_tokens) {
  if (options_.drafter == nullptr) return;
  std::vector<PlannedTurn*> writing;
  std::vector<runtime::DraftWish> wishes;
  int64_t n_others = 0;
  for (PlannedTurn& turn : step) {
    if (turn.sequence->n_unread() > 0) {
      n_others += turn.n_tokens;
      continue;
    }
    writing.push_back(&turn);
    wishes.push_back(turn.sequence->draft_wish(options_.drafts));
  }
  const auto lengths = planner_.plan(wishes, n_others, most_tokens);
  std::vector<runtime::DraftAsk> asks;
  std::vector<PlannedTurn*> asking;
  for (size_t i = 0; i < writing.size(); ++i) {
    const DraftLimits& limits = writing[i]->sequence->request().drafts;
    if (lengths[i] < std::max<int64_t>(1, limits.n_min.value_or(options_.drafts.n_min))) continue;
    asks.push_back({.sequence = writing[i]->sequence->slot()->id,
                    .most = lengths[i],
                    .p_min = limits.p_min.value_or(options_.drafts.p_min),
                    .tokens = {}});
    asking.push_back(writing[i]);
  }
  if (asks.empty()) return;
  const double start = seconds_now();
  // Who cannot guess leaves the answers to be written token after token.
  if (!options_.drafter->propose(asks).ok()) return;
  int64_t longest = 0;
  for (const auto& ask : asks) longest = std::max(longest, std::ssize(ask.tokens));
  planner_.count_drafting(longest, seconds_now() - start);
  for (size_t i = 0; i < asks.size(); ++i) {
    const DraftLimits& limits = asking[i]->sequence->request().drafts;
    if (std::ssize(asks[i].tokens) < limits.n_min.value_or(options_.drafts.n_min)) continue;
    asking[i]->n_tokens += std::ssize(asks[i].tokens);
    asking[i]->sequence->set_draft(std::move(asks[i].tokens));
  }
}

void Scheduler::tell_drafter(const Sequence& sequence, bool has_just_read) {
  if (options_.drafter == nullptr || sequence.chosen().empty()) return;
  const int id = sequence.slot()->id;
  if (has_just_read) options_.drafter->begin(id, sequence.request().prompt);
  for (const TokenId token : sequence.chosen()) options_.drafter->append(id, token);
}

}  // namespace plm::scheduler
