// Who guesses the next tokens of sequences, so that the model can check several in one step (Leviathan et
// al., arXiv 2211.17192). Guesses change nothing about a text but how fast it comes: see draft_planner.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "runtime/ngram_index.h"
#include "tokenizer/token.h"

namespace plm::runtime {

// What is asked for one sequence.
struct DraftAsk {
  int sequence = 0;
  int64_t most = 0;             // tokens
  float p_min = 0;              // a model's guess that is less probable ends the draft
  std::vector<TokenId> tokens;  // the answer: what may come next; may be empty
};

// Sequences are numbered from 0; a number is used again by begin(). Not for several threads at once.
class Drafter {
 public:
  virtual ~Drafter() = default;

  // A sequence consists of these tokens, whatever it was.
  virtual void begin(int sequence, std::span<const TokenId> tokens) = 0;
  // A token follows, known for good.
  virtual void append(int sequence, TokenId token) = 0;

  // Fails where a model does; then nothing is drafted.
  virtual Status propose(std::span<DraftAsk> asks) = 0;
};

// From the text of each sequence itself.
class NgramDrafter final : public Drafter {
 public:
  NgramDrafter(NgramSizes sizes, int n_sequences);

  void begin(int sequence, std::span<const TokenId> tokens) override;
  void append(int sequence, TokenId token) override;
  Status propose(std::span<DraftAsk> asks) override;

 private:
  std::vector<NgramIndex> sequences_;
};

// Asks one, and where that one has no guess another.
class TwoDrafters final : public Drafter {
 public:
  TwoDrafters(std::unique_ptr<Drafter> first, std::unique_ptr<Drafter> second);

  void begin(int sequence, std::span<const TokenId> tokens) override;
  void append(int sequence, TokenId token) override;
  Status propose(std::span<DraftAsk> asks) override;

 private:
  std::unique_ptr<Drafter> first_, second_;
};

}  // namespace plm::runtime
