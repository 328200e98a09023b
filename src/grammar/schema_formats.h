// The values of "format" that are written as they should be; others say nothing.
#pragma once

#include <string_view>

namespace plm::grammar {

// A regular expression, or "" for a format not known here.
std::string_view format_pattern(std::string_view format);

}  // namespace plm::grammar
