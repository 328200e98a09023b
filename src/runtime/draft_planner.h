// How many tokens to draft. A step of several tokens costs more than one of one token, and what is not
// accepted was for nothing: so the number follows what steps and drafts have cost and how many guesses came
// true.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/activations.h"

namespace plm::runtime {

struct DraftSettings {
  int64_t n_max = kernels::kFineTokens - 1;  // tokens of a draft; 0: none
  int64_t n_min = 0;                         // shorter drafts are not checked
  float p_min = 0;                           // see DraftAsk
  bool adapts = true;                        // false: always n_max, where there is room
};

// How often guesses for one sequence come true.
class DraftRecord {
 public:
  // The chance of the next guess, from those of late.
  double chance() const { return n_true_ / n_tried_; }
  void count(int64_t n_drafted, int64_t n_accepted);

  // A sequence without drafts for this long may try one again.
  bool is_due() const { return n_without_ >= wait_; }
  void count_without() { ++n_without_; }

 private:
  // Before anything is known, a guess is as good as a coin's.
  double n_true_ = 2, n_tried_ = 4;
  int64_t n_without_ = 0, wait_ = 16;
};

// What one sequence would take.
struct DraftWish {
  double chance = 0;
  int64_t most = 0;
  bool is_due = false;
};

// Not for several threads at once.
class DraftPlanner {
 public:
  // adapts: see DraftSettings.
  explicit DraftPlanner(bool adapts = true) : adapts_(adapts) {}

  // The drafts for sequences whose next tokens make one step, together with n_others tokens of others and
  // `most` (up to kFineTokens) in all: those by which most tokens come out in a second. As many as there are
  // wishes.
  std::vector<int64_t> plan(std::span<const DraftWish> wishes, int64_t n_others = 0,
                            int64_t most = kernels::kFineTokens) const;

  void count_step(int64_t n_tokens, double seconds);
  // Drafting together took so long, the longest draft being of n_tokens.
  void count_drafting(int64_t n_tokens, double seconds);

 private:
  // Of what was measured of late.
  struct Mean {
    double value = 0;
    int64_t n = 0;  // 0: nothing was
    void add(double measured);
  };
  double step_seconds(int64_t n_tokens) const;

  bool adapts_;
  std::array<Mean, kernels::kFineTokens + 1> steps_;
  Mean drafting_;  // of a token
};

// What drafts did.
struct DraftCounts {
  int64_t n_steps = 0;  // with a draft
  int64_t n_drafted = 0, n_accepted = 0;
};

}  // namespace plm::runtime
