// What a template can call without a value before it: range, dict, namespace, raise_exception, strftime_now.
#pragma once

#include <string>
#include <string_view>

#include "jinja/arguments.h"

namespace plm::jinja {

class Interpreter;

bool is_global(std::string_view name);
// raise_exception fails with invalid_argument: the template refuses what it was given.
Result<Value> call_global(Interpreter& interpreter, const std::string& name, Arguments arguments);

}  // namespace plm::jinja
