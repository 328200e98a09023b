#include "cli/drafting.h"

#include <algorithm>

#include "base/clock.h"

namespace plm::cli {

void Drafting::read(int64_t position, std::span<const TokenId> tokens) {
  // The last token of an answer was chosen but never read.
  tokens_.resize(static_cast<size_t>(std::min(position, std::ssize(tokens_))));
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
}

void Drafting::drop(int64_t first, int64_t n) {
  const auto begin = tokens_.begin() + std::min(first, std::ssize(tokens_));
  tokens_.erase(begin, begin + std::min(n, tokens_.end() - begin));
  drafter_.begin(0, tokens_);
}

void Drafting::append(TokenId token) {
  tokens_.push_back(token);
  drafter_.append(0, token);
}

Result<std::vector<TokenId>> Drafting::propose(int64_t room) {
  const runtime::DraftWish wish{
      .chance = record_.chance(), .most = std::min(room, settings_.n_max), .is_due = record_.is_due()};
  const int64_t n = planner_.plan({&wish, 1}).front();
  if (n <= 0 || n < settings_.n_min) return std::vector<TokenId>();
  runtime::DraftAsk ask{.sequence = 0, .most = n, .p_min = settings_.p_min, .tokens = {}};
  const double start = seconds_now();
  PLM_TRY_STATUS(drafter_.propose({&ask, 1}));
  planner_.count_drafting(std::ssize(ask.tokens), seconds_now() - start);
  if (std::ssize(ask.tokens) < settings_.n_min) ask.tokens.clear();
  return std::move(ask.tokens);
}

void Drafting::count(int64_t n_drafted, int64_t n_accepted, double seconds) {
  planner_.count_step(n_drafted + 1, seconds);
  if (n_drafted == 0) return record_.count_without();
  record_.count(n_drafted, n_accepted);
  ++counts_.n_steps;
  counts_.n_drafted += n_drafted;
  counts_.n_accepted += n_accepted;
}

}  // namespace plm::cli
