// A request that has, or had, a slot: how far it is, and what comes of the logits of a step. Used by the
// scheduler's thread alone.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/engine.h"
#include "runtime/stop_texts.h"
#include "scheduler/answer.h"
#include "scheduler/request.h"
#include "tokenizer/utf8_stream.h"

namespace plm::scheduler {

// Room for one sequence at a time. Its rows stay until the next one needs the room.
struct Slot {
  int id = 0;
  runtime::Session session;
  std::vector<TokenId> tokens;  // whose rows the session holds
  int64_t n_exact = 0;          // the first of them that are exact (Reuse::exact)
  uint64_t last_used = 0;
  bool is_busy = false;
};

class Sequence {
 public:
  Sequence(Request request, std::shared_ptr<Answer> answer, runtime::Sampler sampler,
           const runtime::Engine& engine);

  const Request& request() const { return request_; }
  Answer& answer() { return *answer_; }
  double submitted() const { return submitted_; }

  // Takes a slot that holds the rows of a beginning of the prompt, less than all of it.
  void start(Slot& slot);
  Slot* slot() { return slot_; }
  const Slot* slot() const { return slot_; }

  // Tokens of the prompt that have not been run; 0: it writes.
  int64_t n_unread() const;
  // How many tokens to run next: of the prompt at most `budget`, and so many that a step begins and ends at
  // multiples of PrefixStore::kPageTokens, but for the last of a prompt; else 1, without a draft.
  int64_t next_size(int64_t budget) const;
  // The turn itself. It stays valid until after_step().
  runtime::Turn next_turn(int64_t n_tokens);

  // What may be drafted behind the next token of an answer, as the context, the request and `settings` allow.
  runtime::DraftWish draft_wish(const runtime::DraftSettings& settings) const;
  // Lets the next turn check a draft behind its token.
  void set_draft(std::vector<TokenId> draft) { draft_ = std::move(draft); }

  // Looks at what the turn brought. Returns how many of its tokens the sequence consists of now: all but
  // those of a draft that were not chosen.
  int64_t after_step();
  // The tokens chosen in that.
  std::span<const TokenId> chosen() const { return chosen_; }

  // Ends it for a reason of its own or from outside, and tells the reader.
  void finish(FinishReason reason, std::optional<Error> error = {});
  bool is_finished() const { return is_finished_; }
  int64_t n_answer() const { return n_answer_; }
  const runtime::DraftCounts& drafts() const { return drafts_; }

 private:
  void read_turn();
  int64_t check_turn();
  Status choose(std::span<const float> logits);
  void score_prompt();
  void pool_hidden(int64_t n_tokens);
  ScoredToken scored(TokenId token, std::span<const float> logits) const;
  std::vector<float> embedding() const;

  Request request_;
  std::shared_ptr<Answer> answer_;
  runtime::Sampler sampler_;
  const runtime::Engine& engine_;
  Slot* slot_ = nullptr;
  int64_t n_cached_ = 0, n_answer_ = 0, n_turn_ = 0;
  TokenId pending_ = 0;          // chosen, not yet run
  std::vector<TokenId> draft_;   // that may follow it
  std::vector<TokenId> turn_;    // both
  std::vector<TokenId> chosen_;  // by the last step
  runtime::DraftRecord record_;
  runtime::DraftCounts drafts_;
  tokenizer::Utf8Stream characters_;
  runtime::StopTexts stops_;
  std::vector<ScoredToken> prompt_scores_;
  std::vector<float> last_logits_;  // of the last token of the step before, where the prompt is scored
  std::vector<float> hidden_TD_;
  std::vector<double> pooled_D_;
  double submitted_, started_ = 0, first_token_ = 0;
  bool is_finished_ = false;
};

}  // namespace plm::scheduler
