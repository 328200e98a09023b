// Whether a text is in a grammar.
#pragma once

#include <string>
#include <string_view>

#include "grammar/automaton.h"
#include "grammar/network.h"

namespace plm::grammar {

enum class Match { none, beginning, whole };

inline Match match(const Network& network, std::string_view text) {
  Automaton automaton(network);
  auto state = automaton.start();
  PLM_CHECK(state.ok());
  for (const char byte : text) {
    if (*state == Automaton::kDead) return Match::none;
    state = automaton.step(*state, static_cast<uint8_t>(byte));
    PLM_CHECK(state.ok());
  }
  if (*state == Automaton::kDead) return Match::none;
  return automaton.can_end(*state) ? Match::whole : Match::beginning;
}

// A grammar that a reader made; its error where it could not.
class Language {
 public:
  explicit Language(const Result<Grammar>& grammar) {
    if (!grammar.ok()) {
      error_ = grammar.error().message;
      return;
    }
    auto network = Network::build(*grammar);
    if (network.ok()) {
      network_ = *std::move(network);
    } else {
      error_ = network.error().message;
    }
  }

  const std::string& error() const { return error_; }
  bool has(std::string_view text) const { return error_.empty() && match(network_, text) == Match::whole; }
  bool has_beginning(std::string_view text) const {
    return error_.empty() && match(network_, text) != Match::none;
  }

 private:
  Network network_;
  std::string error_;
};

}  // namespace plm::grammar
