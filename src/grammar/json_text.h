// How JSON writes texts, as expressions.
#pragma once

#include <string>
#include <string_view>

#include "grammar/expression.h"

namespace plm::grammar {

// One character of the set as it stands inside a JSON string: itself, or escaped where it has to be.
Expression json_character(const CharacterSet& set);

// The characters that may stand in a JSON string as they are.
CharacterSet json_plain();

// Any character of a JSON string, in any way of writing it but halves of surrogate pairs.
Expression any_json_character();

}  // namespace plm::grammar
