// Filters over lists and dicts, and those that pass a value on.
#include <algorithm>
#include <array>
#include <charconv>

#include "jinja/filters.h"
#include "jinja/interpreter.h"
#include "jinja/operators.h"
#include "jinja/text.h"
#include "jinja/text_methods.h"

namespace plm::jinja {
namespace {

// value["a.b.0"] as the filters' argument `attribute` means it.
Result<Value> at_path(Interpreter& in, const Value& value, const Value& path) {
  if (!path.is_string()) return item_of(value, path, in.budget());
  Value current = value;
  for (const std::string_view part : split_at(path.string(), ".", -1, false)) {
    int64_t index = 0;
    const auto end = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index =
        !part.empty() && part[0] != '-' && end.ec == std::errc() && end.ptr == part.data() + part.size();
    PLM_TRY_STATUS(in.budget().spend_steps(1));
    PLM_TRY(current, item_of(current, is_index ? Value(index) : Value(std::string(part)), in.budget()));
  }
  return current;
}

Value without_case(const Value& value) { return value.is_string() ? Value(to_lower(value.string())) : value; }

struct Keyed {
  Value key;
  Value item;
};

// Stable, by keys; in steps that are paid for. std::sort could not stop at an error.
Status merge_sort(std::vector<Keyed>& items, bool reverse, Budget& budget) {
  std::vector<Keyed> merged(items.size());
  for (size_t width = 1; width < items.size(); width *= 2) {
    for (size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, items.size());
      const size_t end = std::min(begin + 2 * width, items.size());
      size_t left = begin, right = middle;
      for (size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          PLM_TRY(take_right, reverse ? less(items[left].key, items[right].key, budget)
                                      : less(items[right].key, items[left].key, budget));
        }
        merged[out] = std::move(items[take_right ? right++ : left++]);
      }
    }
    std::swap(items, merged);
  }
  return {};
}

// Items with the keys that `attribute` (several with commas between) and case_sensitive make of them.
Result<std::vector<Keyed>> keyed_items(Interpreter& in, const Value& subject, const Value* attribute,
                                       bool case_sensitive) {
  PLM_TRY(std::vector<Value> items, items_of(subject, in.budget()));
  std::vector<Keyed> keyed;
  keyed.reserve(items.size());
  for (Value& item : items) {
    Value key = item;
    if (attribute != nullptr && attribute->is_string() &&
        attribute->string().find(',') != std::string::npos) {
      std::vector<Value> parts;
      for (const std::string_view path : split_at(attribute->string(), ",", -1, false)) {
        PLM_TRY(const Value part, at_path(in, item, Value(std::string(path))));
        parts.push_back(case_sensitive ? part : without_case(part));
      }
      PLM_TRY(key, make_sequence(std::move(parts)));
    } else if (attribute != nullptr && !attribute->is_none()) {
      PLM_TRY(key, at_path(in, item, *attribute));
    }
    if (key.is_string()) PLM_TRY_STATUS(in.budget().spend_bytes(key.string().size()));
    keyed.push_back({.key = case_sensitive ? key : without_case(key), .item = std::move(item)});
  }
  return keyed;
}

Result<Value> sort(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound,
          Bound::bind("sort", std::move(arguments), {"reverse", "case_sensitive", "attribute"}));
  PLM_TRY(std::vector<Keyed> keyed,
          keyed_items(in, subject, bound.has(2) ? &bound[2] : nullptr, bound.flag(1, false)));
  PLM_TRY_STATUS(merge_sort(keyed, bound.flag(0, false), in.budget()));
  std::vector<Value> items;
  for (Keyed& entry : keyed) items.push_back(std::move(entry.item));
  return make_sequence(std::move(items));
}

Result<Value> unique(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("unique", std::move(arguments), {"case_sensitive", "attribute"}));
  PLM_TRY(std::vector<Keyed> keyed,
          keyed_items(in, subject, bound.has(1) ? &bound[1] : nullptr, bound.flag(0, false)));
  std::vector<Value> items;
  Dict seen;
  for (Keyed& entry : keyed) {
    const size_t before = seen.entries().size();
    PLM_TRY_STATUS(seen.set(entry.key, Value()));
    if (seen.entries().size() > before) items.push_back(std::move(entry.item));
  }
  return make_sequence(std::move(items), Flavor::generator);
}

template <bool kLargest>
Result<Value> extreme(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound,
          Bound::bind(kLargest ? "max" : "min", std::move(arguments), {"case_sensitive", "attribute"}));
  PLM_TRY(std::vector<Keyed> keyed,
          keyed_items(in, subject, bound.has(1) ? &bound[1] : nullptr, bound.flag(0, false)));
  if (keyed.empty()) return Value::undefined("no aggregated item, sequence was empty");
  size_t best = 0;
  for (size_t i = 1; i < keyed.size(); ++i) {
    PLM_TRY(const bool better, kLargest ? less(keyed[best].key, keyed[i].key, in.budget())
                                        : less(keyed[i].key, keyed[best].key, in.budget()));
    if (better) best = i;
  }
  return keyed[best].item;
}

Result<Value> dictsort(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound,
          Bound::bind("dictsort", std::move(arguments), {"case_sensitive", "by", "reverse"}));
  PLM_TRY(const std::string by, bound.text(1, "key"));
  if (by != "key" && by != "value")
    return make_error(ErrorKind::bad_data, "dictsort: by must be key or value");
  if (subject.is_undefined()) return undefined_error(subject);
  if (!subject.is_dict())
    return make_error(ErrorKind::bad_data, "dictsort: found a {}, expected a dict", subject.type_name());
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : subject.dict().entries()) {
    const Value& chosen = by == "key" ? key : value;
    PLM_TRY(Value pair, make_sequence({key, value}, Flavor::tuple));
    keyed.push_back({.key = bound.flag(0, false) ? chosen : without_case(chosen), .item = std::move(pair)});
  }
  PLM_TRY_STATUS(in.budget().spend_bytes(keyed.size() * sizeof(Keyed)));
  PLM_TRY_STATUS(merge_sort(keyed, bound.flag(2, false), in.budget()));
  std::vector<Value> items;
  for (Keyed& entry : keyed) items.push_back(std::move(entry.item));
  return make_sequence(std::move(items));
}

Result<Value> join(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("join", std::move(arguments), {"d", "attribute"}));
  PLM_TRY(const std::string separator, bound.text(0, ""));
  PLM_TRY(std::vector<Value> items, items_of(subject, in.budget()));
  if (bound.has(1) && !bound[1].is_none()) {
    for (Value& item : items) {
      PLM_TRY(item, at_path(in, item, bound[1]));
    }
  }
  return join_texts(items, separator, in.budget());
}

// These filters take None, 0 and the like for nothing at all.
Result<std::vector<Value>> items_if_true(const Value& value, Budget& budget) {
  if (!truthy(value)) return std::vector<Value>();
  return items_of(value, budget);
}

// map(attribute="a", default=x) or map("filter", arguments...).
Result<Value> map(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(std::vector<Value> items, items_if_true(subject, in.budget()));
  if (arguments.positional.empty()) {
    PLM_TRY(const Bound bound, Bound::bind("map", std::move(arguments), {"attribute", "default"}, 1));
    for (Value& item : items) {
      PLM_TRY(item, at_path(in, item, bound[0]));
      if (item.is_undefined() && bound.has(1)) item = bound[1];
    }
    return make_sequence(std::move(items), Flavor::generator);
  }
  const Value name = arguments.positional.front();
  if (!name.is_string()) return make_error(ErrorKind::bad_data, "map: expected the name of a filter");
  arguments.positional.erase(arguments.positional.begin());
  for (Value& item : items) {
    PLM_TRY(item, in.apply_filter(name.string(), item, arguments));
  }
  return make_sequence(std::move(items), Flavor::generator);
}

// select, reject: ("test", arguments...); selectattr, rejectattr: ("path", "test", arguments...). Without a
// test, truth decides.
template <bool kKeep, bool kByAttribute>
Result<Value> select(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(std::vector<Value> items, items_if_true(subject, in.budget()));
  const auto take = [&]() -> Result<Value> {
    if (arguments.positional.empty())
      return make_error(ErrorKind::bad_data, "the name of an attribute is missing");
    Value first = std::move(arguments.positional.front());
    arguments.positional.erase(arguments.positional.begin());
    return first;
  };
  Value path;
  if (kByAttribute) {
    PLM_TRY(path, take());
  }
  std::string test;
  if (!arguments.positional.empty()) {
    PLM_TRY(const Value name, take());
    if (!name.is_string()) return make_error(ErrorKind::bad_data, "expected the name of a test");
    test = name.string();
  }
  std::vector<Value> kept;
  for (Value& item : items) {
    Value looked_at = item;
    if (kByAttribute) {
      PLM_TRY(looked_at, at_path(in, item, path));
    }
    bool holds = truthy(looked_at);
    if (!test.empty()) {
      PLM_TRY(holds, in.apply_test(test, looked_at, arguments));
    }
    if (holds == kKeep) kept.push_back(std::move(item));
  }
  return make_sequence(std::move(kept), Flavor::generator);
}

Result<Value> default_value(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("default", std::move(arguments), {"default_value", "boolean"}));
  const bool is_missing = subject.is_undefined() || (bound.flag(1, false) && !truthy(subject));
  if (!is_missing) return subject;
  return bound.has(0) ? bound[0] : Value("");
}

Result<Value> first(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("first", std::move(arguments), {}));
  PLM_TRY(const std::vector<Value> items, items_of(subject, in.budget()));
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

Result<Value> last(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("last", std::move(arguments), {}));
  if (subject.is_sequence(Flavor::generator))
    return make_error(ErrorKind::bad_data, "'generator' object is not reversible");
  PLM_TRY(const std::vector<Value> items, items_of(subject, in.budget()));
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Result<Value> length(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("length", std::move(arguments), {}));
  PLM_TRY(const int64_t n, length_of(subject));
  return Value(n);
}

Result<Value> to_list(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("list", std::move(arguments), {}));
  PLM_TRY(std::vector<Value> items, items_of(subject, in.budget()));
  return make_sequence(std::move(items));
}

Result<Value> reverse(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("reverse", std::move(arguments), {}));
  if (subject.is_string()) return slice_of(subject, {.start = {}, .stop = {}, .step = -1}, in.budget());
  PLM_TRY(std::vector<Value> items, items_of(subject, in.budget()));
  std::reverse(items.begin(), items.end());
  return make_sequence(std::move(items), Flavor::generator);
}

Result<Value> dict_items(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("items", std::move(arguments), {}));
  std::vector<Value> items;
  if (!subject.is_dict() && !subject.is_undefined()) {
    return make_error(ErrorKind::bad_data, "items: found a {}, expected a dict", subject.type_name());
  }
  if (subject.is_dict()) {
    PLM_TRY_STATUS(in.budget().spend_bytes(subject.dict().entries().size() * 4 * sizeof(Value)));
    for (const auto& [key, value] : subject.dict().entries()) {
      PLM_TRY(Value pair, make_sequence({key, value}, Flavor::tuple));
      items.push_back(std::move(pair));
    }
  }
  return make_sequence(std::move(items), Flavor::generator);
}

Result<Value> sum(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("sum", std::move(arguments), {"attribute", "start"}));
  PLM_TRY(const std::vector<Value> items, items_of(subject, in.budget()));
  Value total = bound.has(1) ? bound[1] : Value(int64_t{0});
  for (const Value& item : items) {
    Value term = item;
    if (bound.has(0) && !bound[0].is_none()) {
      PLM_TRY(term, at_path(in, item, bound[0]));
    }
    PLM_TRY(total, arithmetic(Operator::add, total, term, in.budget()));
  }
  return total;
}

Result<Value> attribute(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("attr", std::move(arguments), {"name"}, 1));
  PLM_TRY(const std::string name, bound.text(0, ""));
  // Only what Python's getattr finds: no keys of a dict.
  if (subject.is_dict() && subject.dict().find(name) != nullptr && name != "items" && name != "keys" &&
      name != "values" && name != "get") {
    return Value::undefined(fmt::format("'dict object' has no attribute '{}'", name));
  }
  return attribute_of(subject, name, in.budget());
}

constexpr std::array<FilterEntry, 22> kFilters = {{
    {"attr", attribute},
    {"count", length},
    {"d", default_value},
    {"default", default_value},
    {"dictsort", dictsort},
    {"first", first},
    {"items", dict_items},
    {"join", join},
    {"last", last},
    {"length", length},
    {"list", to_list},
    {"map", map},
    {"max", extreme<true>},
    {"min", extreme<false>},
    {"reject", select<false, false>},
    {"rejectattr", select<false, true>},
    {"reverse", reverse},
    {"select", select<true, false>},
    {"selectattr", select<true, true>},
    {"sort", sort},
    {"sum", sum},
    {"unique", unique},
}};

}  // namespace

std::optional<Filter> find_list_filter(std::string_view name) {
  const auto* entry =
      std::find_if(kFilters.begin(), kFilters.end(), [&](const auto& e) { return e.name == name; });
  if (entry == kFilters.end()) return std::nullopt;
  return entry->filter;
}

Filter find_filter(std::string_view name) {
  if (const auto filter = find_text_filter(name)) return *filter;
  return find_list_filter(name).value_or(nullptr);
}

}  // namespace plm::jinja
