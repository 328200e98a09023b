// Makes statements of a template's tokens. The grammar is jinja2's, without inheritance, imports and
// recursive loops.
#pragma once

#include <string_view>

#include "base/error.h"
#include "jinja/ast.h"

namespace plm::jinja {

// Fails with bad_data on text that breaks the grammar, with unsupported on a tag that is not known:
// "line 3: found ..., expected ...". What is nested too deeply is refused too.
Result<Block> parse(std::string_view source);

}  // namespace plm::jinja
