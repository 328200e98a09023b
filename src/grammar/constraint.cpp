#include "grammar/constraint.h"

#include <algorithm>
#include <array>

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

Result<Automaton::State> Matcher::step(Automaton::State state, uint8_t byte) {
  const Automaton::State known = automaton_.known_step(state, byte);
  if (known != Automaton::kUnknown) return known;
  return automaton_.step(state, byte);
}

// Whether these last bytes of a character, `n_more` of them and the first from `low` to `high`, all lead to
// `target`.
Result<bool> Matcher::all_lead_to(Automaton::State target, Automaton::State state, int n_more, uint8_t low,
                                  uint8_t high) {
  if (state == Automaton::kDead) return target == Automaton::kDead;
  Automaton::State before = Automaton::kUnknown;
  for (int byte = low; byte <= high; ++byte) {
    PLM_TRY(const auto next, step(state, static_cast<uint8_t>(byte)));
    if (next == before) continue;
    before = next;
    bool is_right = next == target;
    if (n_more > 1) {
      PLM_TRY(is_right, all_lead_to(target, next, n_more - 1, 0x80, 0xBF));
    }
    if (!is_right) return false;
  }
  return true;
}

// Where a plain character leads, whichever it is; none where that depends on it.
Result<std::optional<Automaton::State>> Matcher::plain_step(Automaton::State state) {
  using Way = std::optional<Automaton::State>;
  PLM_TRY(const auto target, step(state, ' '));
  for (uint8_t byte = ' '; byte < 0x80; ++byte) {
    if (!TokenIndex::is_plain(byte)) continue;
    PLM_TRY(const auto next, step(state, byte));
    if (next != target) return Way();
  }
  // UTF-8: the bytes a character may begin with, how many follow, and what the first of those may be.
  struct Lead {
    uint8_t first, last;
    int n_more;
    uint8_t low, high;
  };
  constexpr std::array<Lead, 8> kLeads = {Lead{0xC2, 0xDF, 1, 0x80, 0xBF}, Lead{0xE0, 0xE0, 2, 0xA0, 0xBF},
                                          Lead{0xE1, 0xEC, 2, 0x80, 0xBF}, Lead{0xED, 0xED, 2, 0x80, 0x9F},
                                          Lead{0xEE, 0xEF, 2, 0x80, 0xBF}, Lead{0xF0, 0xF0, 3, 0x90, 0xBF},
                                          Lead{0xF1, 0xF3, 3, 0x80, 0xBF}, Lead{0xF4, 0xF4, 3, 0x80, 0x8F}};
  for (const Lead& lead : kLeads) {
    Automaton::State before = Automaton::kUnknown;
    for (int byte = lead.first; byte <= lead.last; ++byte) {
      PLM_TRY(const auto next, step(state, static_cast<uint8_t>(byte)));
      if (next == before) continue;
      before = next;
      PLM_TRY(const bool is_right, all_lead_to(target, next, lead.n_more, lead.low, lead.high));
      if (!is_right) return Way();
    }
  }
  return Way(target);
}

// How many plain characters may follow, whichever they are; none where that depends on them.
Result<std::optional<size_t>> Matcher::plain_path() {
  using Length = std::optional<size_t>;
  const size_t most = constraint_->tokens().most_plain_characters();
  Automaton::State state = state_;
  for (size_t n = 0; n < most; ++n) {
    PLM_TRY(const auto next, plain_step(state));
    if (!next) return Length();
    if (*next == Automaton::kDead) return Length(n);
    if (*next == state) break;
    state = *next;
  }
  return Length(most);
}

Status Matcher::walk(std::span<const TokenIndex::Entry> entries, Bits& bits) {
  // states[d]: after the first d bytes of the entry; n_alive: how many of them are not dead.
  std::vector<Automaton::State> states(constraint_->tokens().longest() + 1, Automaton::kDead);
  states[0] = state_;
  size_t n_alive = 0;
  for (size_t i = 0; i < entries.size();) {
    const TokenIndex::Entry& entry = entries[i];
    // What it has in common with the one before leads where that led; maybe nowhere.
    if (entry.n_common > n_alive) {
      i = entry.skip;
      continue;
    }
    ++i;
    size_t depth = entry.n_common;
    while (depth < entry.bytes.size()) {
      PLM_TRY(const auto next, step(states[depth], static_cast<uint8_t>(entry.bytes[depth])));
      if (next == Automaton::kDead) break;
      states[++depth] = next;
    }
    n_alive = depth;
    if (depth == entry.bytes.size()) {
      bits[static_cast<size_t>(entry.id) / 64] |= 1ULL << (static_cast<size_t>(entry.id) % 64);
    }
  }
  return {};
}

Result<Matcher::Bits> Matcher::make_mask() {
  const TokenIndex& tokens = constraint_->tokens();
  PLM_TRY(const auto n_plain, plain_path());
  Bits bits = tokens.plain_up_to(n_plain.value_or(0));
  PLM_TRY_STATUS(walk(n_plain ? tokens.entries_but_plain() : tokens.entries(), bits));
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
    PLM_TRY(state, step(state, static_cast<uint8_t>(byte)));
    if (state == Automaton::kDead) return refusal();
  }
  state_ = state;
  return {};
}

}  // namespace plm::grammar
