// A grammar over a vocabulary: which tokens may come next, so that the whole answer is in the grammar.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "grammar/automaton.h"
#include "grammar/expression.h"
#include "grammar/network.h"
#include "grammar/token_index.h"

namespace plm::grammar {

// Does not change; shared by the matchers of many answers.
class Constraint {
 public:
  // Fails with invalid_argument on a grammar that cannot be run (Network::build), and with unsupported for a
  // vocabulary without a token that ends an answer.
  static Result<std::shared_ptr<const Constraint>> create(const Grammar& grammar,
                                                          std::shared_ptr<const TokenIndex> tokens);

  const Network& network() const { return network_; }
  const TokenIndex& tokens() const { return *tokens_; }

 private:
  Constraint(Network network, std::shared_ptr<const TokenIndex> tokens)
      : network_(std::move(network)), tokens_(std::move(tokens)) {}

  Network network_;
  std::shared_ptr<const TokenIndex> tokens_;
};

// Where one answer is in the grammar. Not for several threads at once.
class Matcher {
 public:
  explicit Matcher(std::shared_ptr<const Constraint> constraint);

  struct Allowed {
    std::span<const uint64_t> bits;  // a bit for each token of the vocabulary, tokens that end left out
    bool can_end = false;            // the text so far is in the grammar
    bool can_go_on = false;          // some token of `bits` is allowed
    bool is(tokenizer::TokenId id) const {
      return ((bits[static_cast<size_t>(id) / 64] >> (static_cast<size_t>(id) % 64)) & 1) != 0;
    }
  };
  // Valid until the next call of accept or reset. Fails with invalid_argument where the grammar asks for too
  // much (Automaton::step), and where no token fits and the text is not complete.
  Result<Allowed> allowed();

  // The next token of the answer. Fails with invalid_argument on one that is not allowed.
  Status accept(tokenizer::TokenId id);

  // Back to the beginning of an answer.
  void reset();

 private:
  using Bits = std::vector<uint64_t>;
  static constexpr size_t kMaxMasks = 256;

  Status begin();
  Result<Automaton::State> step(Automaton::State state, uint8_t byte);
  Result<bool> all_lead_to(Automaton::State target, Automaton::State state, int n_more, uint8_t low,
                           uint8_t high);
  Result<std::optional<Automaton::State>> plain_step(Automaton::State state);
  Result<std::optional<size_t>> plain_path();
  Status walk(std::span<const TokenIndex::Entry> entries, Bits& bits);
  Result<Bits> make_mask();

  std::shared_ptr<const Constraint> constraint_;
  Automaton automaton_;
  Automaton::State state_ = Automaton::kDead;
  bool has_begun_ = false;
  std::unordered_map<Automaton::State, Bits> masks_;
};

}  // namespace plm::grammar
