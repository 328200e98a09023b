// GBNF, llama.cpp's language for grammars (grammars/README.md there): rules `name ::= ...` with texts,
// [characters], `.`, groups, `|`, `* + ? {m,n}`, and comments after #.
#pragma once

#include <string_view>

#include "base/error.h"
#include "grammar/expression.h"

namespace plm::grammar {

inline constexpr size_t kMaxSourceBytes = 256 * 1024;

// The rule `root` is the whole. Fails with invalid_argument, naming the line, what was found and what is
// expected.
Result<Grammar> parse_gbnf(std::string_view source);

}  // namespace plm::grammar
