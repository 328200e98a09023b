#include "jinja/arguments.h"

#include <algorithm>

#include "jinja/operators.h"

namespace plm::jinja {

Result<Bound> Bound::bind(std::string_view function, Arguments arguments,
                          std::initializer_list<std::string_view> parameters, size_t n_required) {
  Bound bound;
  bound.function_ = function;
  bound.values_.resize(parameters.size());
  if (arguments.positional.size() > parameters.size()) {
    return make_error(ErrorKind::bad_data, "{}: found {} arguments, expected at most {}", function,
                      arguments.positional.size(), parameters.size());
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i)
    bound.values_[i] = std::move(arguments.positional[i]);
  for (auto& [name, value] : arguments.named) {
    const auto place = std::find(parameters.begin(), parameters.end(), name);
    if (place == parameters.end()) {
      return make_error(ErrorKind::bad_data, "{}: found the argument '{}', which is not known", function,
                        name);
    }
    std::optional<Value>& slot = bound.values_[static_cast<size_t>(place - parameters.begin())];
    if (slot) return make_error(ErrorKind::bad_data, "{}: found the argument '{}' twice", function, name);
    slot = std::move(value);
  }
  for (size_t i = 0; i < n_required; ++i) {
    if (!bound.values_[i]) {
      return make_error(ErrorKind::bad_data, "{}: the argument '{}' is missing", function,
                        parameters.begin()[i]);
    }
  }
  return bound;
}

bool Bound::flag(size_t i, bool fallback) const { return has(i) ? truthy(*values_[i]) : fallback; }

Result<int64_t> Bound::integer(size_t i, int64_t fallback) const {
  if (!has(i)) return fallback;
  if (values_[i]->is_integral()) return values_[i]->integer();
  return make_error(ErrorKind::bad_data, "{}: found a {}, expected an integer", function_,
                    values_[i]->type_name());
}

Result<std::string> Bound::text(size_t i, std::string_view fallback) const {
  if (!has(i) || values_[i]->is_none()) return std::string(fallback);
  if (values_[i]->is_string()) return values_[i]->string();
  return make_error(ErrorKind::bad_data, "{}: found a {}, expected a text", function_,
                    values_[i]->type_name());
}

}  // namespace plm::jinja
