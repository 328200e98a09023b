#include "grammar/json_text.h"

#include <fmt/format.h>

namespace plm::grammar {

namespace {

constexpr CodePointRange kQuote{'"', '"'}, kBackslash{'\\', '\\'}, kControls{0, 0x1F};

CharacterSet escaped_set() { return make_set({kControls, kQuote, kBackslash}); }

std::string escape_of(uint32_t code_point) {
  switch (code_point) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return fmt::format("\\u{:04x}", code_point);
  }
}

}  // namespace

CharacterSet json_plain() { return complement(escaped_set()); }

Expression json_character(const CharacterSet& set) {
  std::vector<Expression> ways;
  CharacterSet plain = intersection(set, json_plain());
  if (!plain.empty()) ways.push_back(one_of(std::move(plain)));
  for (const CodePointRange& range : intersection(set, escaped_set())) {
    for (uint32_t code = range.first; code <= range.last; ++code) ways.push_back(text_of(escape_of(code)));
  }
  return choice_of(std::move(ways));
}

Expression any_json_character() {
  const CharacterSet digits{{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
  const CharacterSet not_d = make_set({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}});
  Expression code = choice_of({sequence_of({one_of(not_d), repeat_of(one_of(digits), 3, 3)}),
                               sequence_of({one_of({{'D', 'D'}, {'d', 'd'}}), one_of({{'0', '7'}}),
                                            repeat_of(one_of(digits), 2, 2)})});
  const CharacterSet letters = make_set(
      {{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}});
  return choice_of({one_of(json_plain()),
                    sequence_of({text_of("\\"), choice_of({one_of(letters),
                                                           sequence_of({text_of("u"), std::move(code)})})})});
}

}  // namespace plm::grammar
