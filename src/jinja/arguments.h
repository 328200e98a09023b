// What stands between the brackets of a call, and its assignment to parameters.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/value.h"

namespace plm::jinja {

struct Arguments {
  std::vector<Value> positional = {};
  std::vector<std::pair<std::string, Value>> named = {};
};

// Arguments in the order of a function's parameters. Errors name the function.
class Bound {
 public:
  // Fails when there are more arguments than parameters, unknown names, or less than `n_required`.
  static Result<Bound> bind(std::string_view function, Arguments arguments,
                            std::initializer_list<std::string_view> parameters, size_t n_required = 0);

  bool has(size_t i) const { return values_[i].has_value(); }
  // Only of an argument that is there.
  const Value& operator[](size_t i) const { return *values_[i]; }
  bool flag(size_t i, bool fallback) const;
  Result<int64_t> integer(size_t i, int64_t fallback) const;
  // None counts as left out.
  Result<std::string> text(size_t i, std::string_view fallback) const;

 private:
  std::string function_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace plm::jinja
