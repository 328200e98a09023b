// Grammars and schemas from strangers: read, built, and run on a text. The first byte says which language,
// "\0" stands between the grammar and the text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "grammar/automaton.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/network.h"
#include "grammar/regex.h"

namespace {

using plm::Result;
using plm::grammar::Grammar;

Result<Grammar> read(char language, std::string_view source) {
  using plm::grammar::RegexPlace;
  if (language == 'j') return plm::grammar::parse_json_schema(source);
  if (language != 'r' && language != 's') return plm::grammar::parse_gbnf(source);
  const auto place = language == 'r' ? RegexPlace::whole_text : RegexPlace::json_string;
  auto expression = plm::grammar::parse_regex(source, place);
  if (!expression.ok()) return expression.error();
  Grammar grammar;
  grammar.add("root", *std::move(expression));
  return grammar;
}

void run(const plm::grammar::Network& network, std::string_view text) {
  plm::grammar::Automaton automaton(network);
  auto state = automaton.start();
  for (const char byte : text) {
    if (!state.ok() || *state == plm::grammar::Automaton::kDead) return;
    if (automaton.is_large()) state = automaton.forget_but(*state);
    state = automaton.step(*state, static_cast<uint8_t>(byte));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const size_t end = std::min(input.find('\0', 1), size);
  const auto grammar = read(input[0], input.substr(1, end - 1));
  if (!grammar.ok()) return 0;
  const auto network = plm::grammar::Network::build(*grammar);
  if (network.ok()) run(*network, input.substr(std::min(end + 1, size)));
  return 0;
}
