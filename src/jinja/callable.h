// What a template can call, and what it knows of the loop it is in.
#pragma once

#include <optional>

#include "jinja/value.h"

namespace plm::jinja {

struct Statement;  // ast.h
struct Scope;      // interpreter.h

struct Callable {
  enum class Kind { global, method, macro };
  Kind kind;
  std::string name;
  Value self = {};                       // of a method
  const Statement* macro = nullptr;      // {% macro %} or {% call %}
  std::weak_ptr<Scope> defined_in = {};  // of a macro: alive as long as it may be called
};

struct Loop {
  std::vector<Value> items;
  size_t index = 0;
  int items_depth = 0;                     // the deepest of items
  std::optional<Value> last_changed = {};  // loop.changed(); dropped when the loop ends
};

}  // namespace plm::jinja
