// value is NAME(arguments).
#pragma once

#include <string_view>

#include "jinja/arguments.h"

namespace plm::jinja {

class Interpreter;
using IsTest = Result<bool> (*)(Interpreter& interpreter, const Value& subject, Arguments arguments);

// nullptr when there is none of this name.
IsTest find_is_test(std::string_view name);

}  // namespace plm::jinja
