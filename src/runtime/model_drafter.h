// Guesses of a smaller model, each its most probable token.
#pragma once

#include <memory>

#include "runtime/drafter.h"
#include "runtime/engine.h"

namespace plm::runtime {

// Fails with unsupported, naming both files, unless each id means the same in both vocabularies: number and
// text of tokens, and those that begin and end a text.
Status check_same_vocabulary(const Engine& target, const Engine& draft);

class ModelDrafter final : public Drafter {
 public:
  // Fails as check_same_vocabulary() does; with invalid_argument where the draft model's context is smaller
  // than the target's; and with out_of_memory.
  static Result<std::unique_ptr<ModelDrafter>> create(std::unique_ptr<Engine> draft, const Engine& target,
                                                      int n_sequences);

  void begin(int sequence, std::span<const TokenId> tokens) override;
  void append(int sequence, TokenId token) override;
  // All sequences together, so that the weights are read once for all. What a sequence is far behind, a
  // prompt, is read in pieces of kReadAtOnce tokens, one of them a call; until it is read nothing is drafted
  // for it.
  Status propose(std::span<DraftAsk> asks) override;

  static constexpr int64_t kReadAtOnce = 128;

  const Engine& engine() const { return *engine_; }

 private:
  struct Sequence {
    Session session;
    std::vector<TokenId> tokens;  // that there are
    std::vector<TokenId> held;    // whose rows the session holds
  };
  // A sequence that a draft is being written for.
  struct Writing {
    DraftAsk* ask;
    Sequence* sequence;
    std::vector<TokenId> next;  // to be run
  };

  explicit ModelDrafter(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
  Status read(Sequence& sequence, int64_t n_tokens);
  Status step(std::span<Writing> writing);
  static bool choose(Writing& writing, const tokenizer::Tokenizer& tokenizer);

  std::unique_ptr<Engine> engine_;
  std::vector<Sequence> sequences_;
};

}  // namespace plm::runtime
