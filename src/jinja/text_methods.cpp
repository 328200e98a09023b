#include "jinja/text_methods.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace plm::jinja {
namespace {

struct Call {
  const std::string& name;
  const std::string& self;
  Arguments arguments;
  Budget& budget;
};
using Method = Result<Value> (*)(Call& call);

Result<Bound> bind(Call& call, std::initializer_list<std::string_view> parameters, size_t n_required = 0) {
  return Bound::bind(call.name, std::move(call.arguments), parameters, n_required);
}

// A method without arguments that gives a text or a bool.
template <auto kFunction>
Result<Value> plain(Call& call) {
  PLM_TRY(const Bound none, bind(call, {}));
  PLM_TRY_STATUS(call.budget.spend_bytes(call.self.size()));
  return Value(kFunction(call.self));
}

Result<Value> list_of(const std::vector<std::string_view>& pieces, Budget& budget) {
  std::vector<Value> items;
  for (const std::string_view piece : pieces) {
    PLM_TRY_STATUS(budget.spend_bytes(piece.size() + sizeof(Value)));
    items.emplace_back(std::string(piece));
  }
  return make_sequence(std::move(items));
}

Result<Value> split(Call& call) {
  PLM_TRY(const Bound bound, bind(call, {"sep", "maxsplit"}));
  PLM_TRY(const std::string separator, bound.text(0, ""));
  PLM_TRY(const int64_t max_splits, bound.integer(1, -1));
  PLM_TRY_STATUS(call.budget.spend_bytes(call.self.size()));
  const bool from_right = call.name == "rsplit";
  if (!bound.has(0) || bound[0].is_none()) {
    return list_of(split_at_blanks(call.self, max_splits, from_right), call.budget);
  }
  if (separator.empty()) return make_error(ErrorKind::bad_data, "{}: empty separator", call.name);
  return list_of(split_at(call.self, separator, max_splits, from_right), call.budget);
}

Result<Value> splitlines(Call& call) {
  PLM_TRY(const Bound none, bind(call, {}));
  return list_of(split_lines(call.self), call.budget);
}

Result<Value> partition(Call& call) {
  PLM_TRY(const Bound bound, bind(call, {"sep"}, 1));
  PLM_TRY(const std::string separator, bound.text(0, ""));
  if (separator.empty()) return make_error(ErrorKind::bad_data, "{}: empty separator", call.name);
  PLM_TRY_STATUS(call.budget.spend_bytes(call.self.size()));
  const bool from_right = call.name == "rpartition";
  const auto pieces = split_at(call.self, separator, 1, from_right);
  const auto text = [](std::string_view piece) { return Value(std::string(piece)); };
  if (pieces.size() == 2) {
    return make_sequence({text(pieces[0]), Value(separator), text(pieces[1])}, Flavor::tuple);
  }
  if (from_right) return make_sequence({Value(""), Value(""), Value(call.self)}, Flavor::tuple);
  return make_sequence({Value(call.self), Value(""), Value("")}, Flavor::tuple);
}

Result<Value> strip_method(Call& call) {
  PLM_TRY(const Bound bound, bind(call, {"chars"}));
  PLM_TRY(const std::string set, bound.text(0, ""));
  PLM_TRY_STATUS(call.budget.spend_bytes(call.self.size()));
  const Side side = call.name == "strip" ? Side::both : call.name == "lstrip" ? Side::left : Side::right;
  if (!bound.has(0) || bound[0].is_none()) return Value(std::string(strip(call.self, side)));
  PLM_TRY_STATUS(call.budget.spend_steps(call.self.size() / 16 * (set.size() / 16 + 1)));
  return Value(std::string(strip(call.self, set, side)));
}

Result<Value> starts_or_ends(Call& call) {
  const bool at_start = call.name == "startswith";
  PLM_TRY(const Bound bound, bind(call, {"prefix"}, 1));
  std::vector<Value> candidates = {bound[0]};
  if (bound[0].is_sequence(Flavor::tuple)) candidates = bound[0].sequence().items;
  for (const Value& candidate : candidates) {
    if (candidate.is_undefined()) return undefined_error(candidate);
    if (!candidate.is_string()) {
      return make_error(ErrorKind::bad_data, "{}: found a {}, expected a text or a tuple of texts", call.name,
                        candidate.type_name());
    }
    const bool matches =
        at_start ? call.self.starts_with(candidate.string()) : call.self.ends_with(candidate.string());
    if (matches) return Value(true);
  }
  return Value(false);
}

Result<Value> remove_affix(Call& call) {
  const bool at_start = call.name == "removeprefix";
  PLM_TRY(const Bound bound, bind(call, {"affix"}, 1));
  PLM_TRY(const std::string affix, bound.text(0, ""));
  PLM_TRY_STATUS(call.budget.spend_bytes(call.self.size()));
  if (at_start && call.self.starts_with(affix)) return Value(call.self.substr(affix.size()));
  if (!at_start && call.self.ends_with(affix))
    return Value(call.self.substr(0, call.self.size() - affix.size()));
  return Value(call.self);
}

Result<Value> replace(Call& call) {
  PLM_TRY(const Bound bound, bind(call, {"old", "new", "count"}, 2));
  PLM_TRY(const std::string old, bound.text(0, ""));
  PLM_TRY(const std::string by, bound.text(1, ""));
  PLM_TRY(const int64_t max_count, bound.integer(2, -1));
  return replace_in(call.self, old, by, max_count, call.budget);
}

Result<Value> join(Call& call) {
  PLM_TRY(const Bound bound, bind(call, {"iterable"}, 1));
  PLM_TRY(const std::vector<Value> items, items_of(bound[0], call.budget));
  for (const Value& item : items) {
    if (item.is_undefined()) return undefined_error(item);
    if (!item.is_string()) {
      return make_error(ErrorKind::bad_data, "join: found a {}, expected texts", item.type_name());
    }
  }
  return join_texts(items, call.self, call.budget);
}

// find, rfind, index, rindex; in code points.
Result<Value> find(Call& call) {
  PLM_TRY(const Bound bound, bind(call, {"sub"}, 1));
  PLM_TRY(const std::string part, bound.text(0, ""));
  PLM_TRY_STATUS(call.budget.spend_steps(call.self.size() / 16));
  const size_t at = call.name.starts_with('r') ? call.self.rfind(part) : call.self.find(part);
  if (at == std::string::npos) {
    if (call.name.ends_with("index"))
      return make_error(ErrorKind::bad_data, "{}: substring not found", call.name);
    return Value(int64_t{-1});
  }
  return Value(static_cast<int64_t>(count_code_points(std::string_view(call.self).substr(0, at))));
}

Result<Value> count(Call& call) {
  PLM_TRY(const Bound bound, bind(call, {"sub"}, 1));
  PLM_TRY(const std::string part, bound.text(0, ""));
  PLM_TRY_STATUS(call.budget.spend_steps(call.self.size() / 16));
  if (part.empty()) return Value(static_cast<int64_t>(count_code_points(call.self)) + 1);
  int64_t n = 0;
  for (size_t at = call.self.find(part); at != std::string::npos; at = call.self.find(part, at + part.size()))
    ++n;
  return Value(n);
}

// ljust, rjust, zfill.
Result<Value> pad(Call& call) {
  PLM_TRY(const Bound bound, bind(call, {"width", "fillchar"}, 1));
  PLM_TRY(const int64_t width, bound.integer(0, 0));
  PLM_TRY(const std::string fill, bound.text(1, call.name == "zfill" ? "0" : " "));
  if (count_code_points(fill) != 1)
    return make_error(ErrorKind::bad_data, "{}: the fill must be one character", call.name);
  const auto length = static_cast<int64_t>(count_code_points(call.self));
  if (width <= length) return Value(call.self);
  PLM_TRY(const Value blanks,
          arithmetic(Operator::multiply, Value(fill), Value(width - length), call.budget));
  PLM_TRY_STATUS(call.budget.spend_bytes(call.self.size() + blanks.string().size()));
  if (call.name == "ljust") return Value(call.self + blanks.string());
  const bool has_sign = call.name == "zfill" && (call.self.starts_with('-') || call.self.starts_with('+'));
  const size_t sign = has_sign ? 1 : 0;
  return Value(call.self.substr(0, sign) + blanks.string() + call.self.substr(sign));
}

// "{} {0} {name}".format(...), without format specifications.
Result<Value> format(Call& call) {
  std::string out;
  size_t n_automatic = 0;
  for (size_t at = 0; at < call.self.size(); ++at) {
    const char c = call.self[at];
    if ((c == '{' || c == '}') && call.self.substr(at + 1, 1) == std::string(1, c)) {
      PLM_TRY_STATUS(call.budget.append(out, std::string_view(&c, 1)));
      ++at;
      continue;
    }
    if (c == '}') return make_error(ErrorKind::bad_data, "format: found a single '}}'");
    if (c != '{') {
      PLM_TRY_STATUS(call.budget.append(out, std::string_view(&c, 1)));
      continue;
    }
    const size_t end = call.self.find('}', at);
    if (end == std::string::npos)
      return make_error(ErrorKind::bad_data, "format: found '{{' without its end");
    const std::string field = call.self.substr(at + 1, end - at - 1);
    at = end;
    const Value* value = nullptr;
    size_t index = n_automatic;
    const auto parsed = std::from_chars(field.data(), field.data() + field.size(), index);
    const bool is_number =
        !field.empty() && parsed.ec == std::errc() && parsed.ptr == field.data() + field.size();
    if (field.empty()) ++n_automatic;
    if ((field.empty() || is_number) && index < call.arguments.positional.size()) {
      value = &call.arguments.positional[index];
    }
    for (const auto& [name, named] : call.arguments.named) {
      if (name == field) value = &named;
    }
    if (value == nullptr) {
      return make_error(ErrorKind::bad_data,
                        "format: found '{{{}}}', expected the number or name of an argument", field);
    }
    PLM_TRY(const std::string text, str(*value, call.budget));
    PLM_TRY_STATUS(call.budget.append(out, text));
  }
  return Value(std::move(out));
}

struct Entry {
  std::string_view name;
  Method method;
};
constexpr std::array<Entry, 36> kMethods = {{
    {"capitalize", plain<to_capitalized>},
    {"casefold", plain<to_lower>},
    {"count", count},
    {"endswith", starts_or_ends},
    {"find", find},
    {"format", format},
    {"index", find},
    {"isalnum", plain<is_alnum>},
    {"isalpha", plain<is_alpha>},
    {"isdecimal", plain<is_digit>},
    {"isdigit", plain<is_digit>},
    {"islower", plain<is_lower>},
    {"isnumeric", plain<is_digit>},
    {"isspace", plain<is_space>},
    {"isupper", plain<is_upper>},
    {"join", join},
    {"ljust", pad},
    {"lower", plain<to_lower>},
    {"lstrip", strip_method},
    {"partition", partition},
    {"removeprefix", remove_affix},
    {"removesuffix", remove_affix},
    {"replace", replace},
    {"rfind", find},
    {"rindex", find},
    {"rjust", pad},
    {"rpartition", partition},
    {"rsplit", split},
    {"rstrip", strip_method},
    {"split", split},
    {"splitlines", splitlines},
    {"startswith", starts_or_ends},
    {"strip", strip_method},
    {"title", plain<to_title>},
    {"upper", plain<to_upper>},
    {"zfill", pad},
}};

const Entry* find_method(std::string_view name) {
  const auto* entry =
      std::find_if(kMethods.begin(), kMethods.end(), [&](const Entry& e) { return e.name == name; });
  return entry == kMethods.end() ? nullptr : entry;
}

}  // namespace

bool is_text_method(std::string_view name) { return find_method(name) != nullptr; }

Result<Value> call_text_method(const std::string& name, const std::string& self, Arguments arguments,
                               Budget& budget) {
  Call call = {name, self, std::move(arguments), budget};
  return find_method(name)->method(call);
}

Result<Value> replace_in(std::string_view text, std::string_view old, std::string_view by, int64_t max_count,
                         Budget& budget) {
  std::string out;
  int64_t n = 0;
  const auto may_replace = [&] { return max_count < 0 || n < max_count; };
  if (old.empty()) {
    for (const std::string_view point : code_points(text)) {
      if (may_replace()) {
        PLM_TRY_STATUS(budget.append(out, by));
        ++n;
      }
      PLM_TRY_STATUS(budget.append(out, point));
    }
    if (may_replace()) PLM_TRY_STATUS(budget.append(out, by));
    return Value(std::move(out));
  }
  PLM_TRY_STATUS(budget.spend_steps(text.size() / 16));
  while (may_replace()) {
    const size_t at = text.find(old);
    if (at == std::string_view::npos) break;
    PLM_TRY_STATUS(budget.append(out, text.substr(0, at)));
    PLM_TRY_STATUS(budget.append(out, by));
    text.remove_prefix(at + old.size());
    ++n;
  }
  PLM_TRY_STATUS(budget.append(out, text));
  return Value(std::move(out));
}

Result<Value> join_texts(const std::vector<Value>& texts, std::string_view separator, Budget& budget) {
  std::string out;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) PLM_TRY_STATUS(budget.append(out, separator));
    PLM_TRY(const std::string text, str(texts[i], budget));
    PLM_TRY_STATUS(budget.append(out, text));
  }
  return Value(std::move(out));
}

}  // namespace plm::jinja
