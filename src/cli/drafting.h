// Drafts for the one text that `run` and `chat` write, and the tokens they are guessed from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/draft_planner.h"
#include "runtime/drafter.h"

namespace plm::cli {

using tokenizer::TokenId;

class Drafting {
 public:
  // The drafter, for one sequence, must outlive it.
  Drafting(runtime::Drafter& drafter, runtime::DraftSettings settings)
      : drafter_(drafter), settings_(settings), planner_(settings.adapts) {}

  // What happens to the session's text: tokens are read where it has `position` of them, and a part is
  // dropped.
  void read(int64_t position, std::span<const TokenId> tokens);
  void drop(int64_t first, int64_t n);
  // An answer begins, and a token of it is chosen.
  void begin_answer() { drafter_.begin(0, tokens_); }
  void append(TokenId token);

  // A guess at what follows, of at most `room` tokens.
  Result<std::vector<TokenId>> propose(int64_t room);
  // How the step went in which the draft was checked; n_drafted may be 0.
  void count(int64_t n_drafted, int64_t n_accepted, double seconds);

  const runtime::DraftCounts& counts() const { return counts_; }

 private:
  runtime::Drafter& drafter_;
  runtime::DraftSettings settings_;
  runtime::DraftPlanner planner_;
  runtime::DraftRecord record_;
  runtime::DraftCounts counts_;
  std::vector<TokenId> tokens_;
};

}  // namespace plm::cli
