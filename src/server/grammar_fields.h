// What a request says of the form of its answer.
#pragma once

#include <optional>

#include "grammar/expression.h"
#include "server/json.h"

namespace plm::server {

// Of the fields "grammar" (GBNF), "json_schema", "regex" and "response_format", of which one may constrain;
// none where none does. Fails with invalid_argument on a grammar that is none.
Result<std::optional<grammar::Grammar>> read_grammar(const Fields& fields);

// An answer that calls one of the tools, as chat::ToolCallReader reads it: of `tools`, which are those of a
// request, only the one that `name` says unless it is empty.
Result<grammar::Grammar> call_grammar(const Json& tools, std::string_view name);

}  // namespace plm::server
