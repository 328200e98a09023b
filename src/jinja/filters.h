// value | NAME(arguments).
#pragma once

#include <string_view>

#include "jinja/arguments.h"

namespace plm::jinja {

class Interpreter;
using Filter = Result<Value> (*)(Interpreter& interpreter, const Value& subject, Arguments arguments);

// nullptr when there is none of this name.
Filter find_filter(std::string_view name);

struct FilterEntry {
  std::string_view name;
  Filter filter;
};
// The two halves of the list, for find_filter alone.
std::optional<Filter> find_text_filter(std::string_view name);
std::optional<Filter> find_list_filter(std::string_view name);

}  // namespace plm::jinja
