#include "jinja/methods.h"

#include <algorithm>
#include <array>

#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/text.h"
#include "jinja/text_methods.h"

namespace plm::jinja {
namespace {

constexpr std::array<std::string_view, 5> kDictMethods = {"copy", "get", "items", "keys", "values"};
constexpr std::array<std::string_view, 2> kTupleMethods = {"count", "index"};
constexpr std::array<std::string_view, 2> kLoopMethods = {"changed", "cycle"};

template <size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<Value> entries_as(const Dict& dict, Flavor flavor, Budget& budget) {
  std::vector<Value> items;
  PLM_TRY_STATUS(budget.spend_bytes(dict.entries().size() * sizeof(Value)));
  for (const auto& [key, value] : dict.entries()) {
    if (flavor == Flavor::items) {
      PLM_TRY(Value pair, make_sequence({key, value}, Flavor::tuple));
      items.push_back(std::move(pair));
    } else {
      items.push_back(flavor == Flavor::keys ? key : value);
    }
  }
  return make_sequence(std::move(items), flavor);
}

Result<Value> call_dict_method(const std::string& name, const Value& self, Arguments arguments,
                               Budget& budget) {
  if (name == "get") {
    PLM_TRY(const Bound bound, Bound::bind(name, std::move(arguments), {"key", "default"}, 1));
    const Value* found = self.dict().find(bound[0]);
    if (found != nullptr) return *found;
    return bound.has(1) ? bound[1] : Value();
  }
  PLM_TRY(const Bound none, Bound::bind(name, std::move(arguments), {}));
  if (name == "copy") return self;
  return entries_as(self.dict(),
                    name == "items"  ? Flavor::items
                    : name == "keys" ? Flavor::keys
                                     : Flavor::values,
                    budget);
}

Result<Value> call_tuple_method(const std::string& name, const Value& self, Arguments arguments,
                                Budget& budget) {
  PLM_TRY(const Bound bound, Bound::bind(name, std::move(arguments), {"value"}, 1));
  const auto& items = self.sequence().items;
  int64_t n = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    PLM_TRY(const bool same, equal(items[i], bound[0], budget));
    if (same && name == "index") return Value(static_cast<int64_t>(i));
    if (same) ++n;
  }
  if (name == "index") return make_error(ErrorKind::bad_data, "index: the value is not in the list");
  return Value(n);
}

Result<Value> call_loop_method(const std::string& name, Loop& loop, Arguments arguments, Budget& budget) {
  if (name == "cycle") {
    if (arguments.positional.empty()) return make_error(ErrorKind::bad_data, "cycle: no items to cycle over");
    return arguments.positional[loop.index % arguments.positional.size()];
  }
  PLM_TRY(Value now, make_sequence(std::move(arguments.positional), Flavor::tuple));
  bool has_changed = true;
  if (loop.last_changed) {
    PLM_TRY(const bool same, equal(*loop.last_changed, now, budget));
    has_changed = !same;
  }
  loop.last_changed = std::move(now);
  return Value(has_changed);
}

bool has_method(const Value& value, std::string_view name) {
  if (value.is_string()) return is_text_method(name);
  if (value.is_dict()) return is_one_of(kDictMethods, name);
  if (value.is_sequence()) {
    return value.sequence().flavor != Flavor::generator && is_one_of(kTupleMethods, name);
  }
  return value.is(Value::Kind::loop) && is_one_of(kLoopMethods, name);
}

}  // namespace

std::optional<Value> method_of(const Value& value, const std::string& name) {
  if (!has_method(value, name)) return std::nullopt;
  return Value(std::make_shared<const Callable>(
      Callable{.kind = Callable::Kind::method, .name = name, .self = value}));
}

std::optional<Value> loop_attribute(const Value& value, const std::string& name) {
  const Loop& loop = value.loop();
  const auto index = static_cast<int64_t>(loop.index);
  const int64_t n = std::ssize(loop.items);
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == n);
  if (name == "length") return Value(n);
  if (name == "revindex") return Value(n - index);
  if (name == "revindex0") return Value(n - index - 1);
  if (name == "depth") return Value(int64_t{1});
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem")
    return index > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return index + 1 < n ? loop.items[loop.index + 1] : Value::undefined("there is no next item");
  return method_of(value, name);
}

Result<Value> call_method(const Callable& method, Arguments arguments, Budget& budget) {
  const Value& self = method.self;
  if (self.is_string()) return call_text_method(method.name, self.string(), std::move(arguments), budget);
  if (self.is_dict()) return call_dict_method(method.name, self, std::move(arguments), budget);
  if (self.is_sequence()) return call_tuple_method(method.name, self, std::move(arguments), budget);
  return call_loop_method(method.name, self.loop(), std::move(arguments), budget);
}

}  // namespace plm::jinja
