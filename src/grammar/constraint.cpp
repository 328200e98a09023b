#include "grammar/constraint.h"

#include <algorithm>

namespace plm::grammar {

Result<std::shared_ptr<const Constraint>> Constraint::create(const Grammar& grammar,
                                                             std::shared_ptr<const TokenIndex> tokens) {
  if (tokens->end_ids().empty()) {
    return make_error(ErrorKind::unsupported,
                      "the model has no token that ends an answer, so a grammar could not end");
  }
  PLM_TRY(Network network, Network::build(grammar));
  return std::shared_ptr<const Constraint>(new Constraint(std::move(network), std::move(tokens)));
}

Matcher::Matcher(std::shared_ptr<const Constraint> constraint)
    : constraint_(std::move(constraint)), automaton_(constraint_->network()) {}

Status Matcher::begin() {
  if (has_begun_) return {};
  automaton_.reset_work();
  PLM_TRY(state_, automaton_.start());
  has_begun_ = true;
  return {};
}

void Matcher::reset() { has_begun_ = false; }

Result<Matcher::Bits> Matcher::make_mask() {
  const TokenIndex& tokens = constraint_->tokens();
  Bits bits((tokens.vocabulary_size() + 63) / 64);
  // states[d]: after the first d bytes of the entry; n_alive: how many of them are not dead.
  std::vector<Automaton::State> states(tokens.longest() + 1, Automaton::kDead);
  states[0] = state_;
  size_t n_alive = 0;
  for (const TokenIndex::Entry& entry : tokens.entries()) {
    // What it has in common with the one before leads where that led; maybe nowhere.
    if (entry.n_common > n_alive) continue;
    size_t depth = entry.n_common;
    while (depth < entry.bytes.size()) {
      PLM_TRY(const auto next, automaton_.step(states[depth], static_cast<uint8_t>(entry.bytes[depth])));
      if (next == Automaton::kDead) break;
      states[++depth] = next;
    }
    n_alive = depth;
    if (depth == entry.bytes.size()) {
      bits[static_cast<size_t>(entry.id) / 64] |= 1ULL << (static_cast<size_t>(entry.id) % 64);
    }
  }
  return bits;
}

Result<Matcher::Allowed> Matcher::allowed() {
  PLM_TRY_STATUS(begin());
  if (state_ == Automaton::kDead) {
    return make_error(ErrorKind::invalid_argument, "the grammar matches nothing");
  }
  if (automaton_.is_large()) {
    state_ = automaton_.forget_but(state_);
    masks_.clear();
  }
  auto mask = masks_.find(state_);
  if (mask == masks_.end()) {
    if (masks_.size() >= kMaxMasks) masks_.clear();
    automaton_.reset_work();
    PLM_TRY(Bits bits, make_mask());
    mask = masks_.emplace(state_, std::move(bits)).first;
  }
  Allowed allowed{.bits = mask->second, .can_end = automaton_.can_end(state_)};
  allowed.can_go_on = std::ranges::any_of(mask->second, [](uint64_t word) { return word != 0; });
  if (!allowed.can_end && !allowed.can_go_on) {
    return make_error(ErrorKind::invalid_argument,
                      "the grammar asks for a text that no token of the vocabulary begins");
  }
  return allowed;
}

Status Matcher::accept(tokenizer::TokenId id) {
  PLM_TRY_STATUS(begin());
  const auto refusal = [&] {
    return make_error(ErrorKind::invalid_argument, "token {} is not what the grammar allows next", id);
  };
  if (state_ == Automaton::kDead) return refusal();
  const auto ends = constraint_->tokens().end_ids();
  if (std::ranges::find(ends, id) != ends.end()) {
    return automaton_.can_end(state_) ? Status() : Status(refusal());
  }
  const std::string_view bytes = constraint_->tokens().bytes_of(id);
  if (bytes.empty()) return refusal();
  Automaton::State state = state_;
  for (const char byte : bytes) {
    PLM_TRY(state, automaton_.step(state, static_cast<uint8_t>(byte)));
    if (state == Automaton::kDead) return refusal();
  }
  state_ = state;
  return {};
}

}  // namespace plm::grammar
