// JSON schemas as grammars: every text of the grammar is JSON that the schema accepts. It does not hold the
// other way round: the grammar writes properties in the order of the schema, and no more of them than it
// names unless additionalProperties is there (docs/formats/grammar.md).
#pragma once

#include <string_view>

#include "base/error.h"
#include "grammar/expression.h"

namespace plm::grammar {

inline constexpr size_t kMaxSchemaBytes = 1024 * 1024;
inline constexpr int kMaxSchemaDepth = 48;
inline constexpr size_t kMaxSchemaMembers = 1024;  // of one object

// A schema as JSON text. Fails with invalid_argument, naming the place ("#/properties/a") and what was found
// there: on a schema that is none, that nothing can satisfy, that is nested too deep or too large, and on
// keywords that are not supported.
Result<Grammar> parse_json_schema(std::string_view schema);

// The same as a rule of a larger grammar; returns its number. `name`: for messages.
Result<size_t> add_json_schema(Grammar& grammar, std::string_view schema, std::string_view name);

// Any JSON object.
Grammar any_json_object();

}  // namespace plm::grammar
