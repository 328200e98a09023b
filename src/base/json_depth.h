// How deep the brackets of a JSON text are nested: asked before it is parsed, for what walks a parsed value
// recurses.
#pragma once

#include <string_view>

namespace plm {

// Of the brackets outside strings. The text need not be valid; checking the rest is the parser's.
int json_depth(std::string_view text);

}  // namespace plm
