// Regular expressions, as JSON schemas write them (ECMA-262): characters, classes, groups, `|`, repetitions.
// What looks around (\b, (?=...), back references) is not in it.
#pragma once

#include <string_view>

#include "base/error.h"
#include "grammar/expression.h"

namespace plm::grammar {

// Where the expression stands.
enum class RegexPlace {
  whole_text,   // the text must match from its beginning to its end; ^ and $ say nothing new
  json_string,  // inside a JSON string, whose value must hold a match: anywhere, but for ^ and $
};

inline constexpr size_t kMaxPatternBytes = 8 * 1024;

// Fails with invalid_argument, naming what was found and what is not supported.
Result<Expression> parse_regex(std::string_view pattern, RegexPlace place);

// The texts that an expression matches as a whole.
Result<Grammar> regex_grammar(std::string_view pattern);

}  // namespace plm::grammar
