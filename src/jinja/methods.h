// Methods of values: "a b".split(), d.items(), loop.cycle(...). Those that would change a list or dict are
// not there, as in jinja2's immutable sandbox.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jinja/arguments.h"
#include "jinja/budget.h"
#include "jinja/callable.h"

namespace plm::jinja {

// The method of a value, bound to it; nothing when its type has none of this name.
std::optional<Value> method_of(const Value& value, const std::string& name);
// loop.index and its like.
std::optional<Value> loop_attribute(const Value& loop, const std::string& name);
// Runs what method_of gave.
Result<Value> call_method(const Callable& method, Arguments arguments, Budget& budget);

}  // namespace plm::jinja
