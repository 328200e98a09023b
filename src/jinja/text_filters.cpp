// Filters that make texts and numbers.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "jinja/filters.h"
#include "jinja/format.h"
#include "jinja/interpreter.h"
#include "jinja/operators.h"
#include "jinja/text.h"
#include "jinja/text_methods.h"

namespace plm::jinja {
namespace {

// str(subject) through a function of texts.
template <auto kFunction>
Result<Value> text_filter(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("filter", std::move(arguments), {}));
  PLM_TRY(const std::string text, str(subject, in.budget()));
  PLM_TRY_STATUS(in.budget().spend_bytes(text.size()));
  return Value(std::string(kFunction(text)));
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string same_text(std::string_view text) { return std::string(text); }

Result<Value> trim(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("trim", std::move(arguments), {"chars"}));
  PLM_TRY(const std::string set, bound.text(0, ""));
  PLM_TRY(const std::string text, str(subject, in.budget()));
  if (!bound.has(0) || bound[0].is_none()) return Value(std::string(strip(text, Side::both)));
  PLM_TRY_STATUS(in.budget().spend_steps(text.size() / 16 * (set.size() / 16 + 1)));
  return Value(std::string(strip(text, set, Side::both)));
}

Result<Value> replace(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("replace", std::move(arguments), {"old", "new", "count"}, 2));
  PLM_TRY(const std::string text, str(subject, in.budget()));
  PLM_TRY(const std::string old, str(bound[0], in.budget()));
  PLM_TRY(const std::string by, str(bound[1], in.budget()));
  const bool all = !bound.has(2) || bound[2].is_none();
  PLM_TRY(const int64_t count, all ? Result<int64_t>(-1) : bound.integer(2, -1));
  return replace_in(text, old, by, count, in.budget());
}

Result<Value> indent(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("indent", std::move(arguments), {"width", "first", "blank"}));
  Value before(std::string("    "));
  if (bound.has(0) && bound[0].is_string()) {
    before = bound[0];
  } else {
    PLM_TRY(const int64_t width, bound.integer(0, 4));
    PLM_TRY(before, arithmetic(Operator::multiply, Value(" "), Value(width), in.budget()));
  }
  PLM_TRY(const std::string text, str(subject, in.budget()));
  if (!subject.is_string()) {
    return make_error(ErrorKind::bad_data, "indent: found a {}, expected a text", subject.type_name());
  }
  const std::string with_end = text + "\n";  // so that a last line that is empty counts
  const auto lines = split_lines(with_end);
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) PLM_TRY_STATUS(in.budget().append(out, "\n"));
    const bool indented = i == 0 ? bound.flag(1, false) : bound.flag(2, false) || !lines[i].empty();
    if (indented) PLM_TRY_STATUS(in.budget().append(out, before.string()));
    PLM_TRY_STATUS(in.budget().append(out, lines[i]));
  }
  return Value(std::move(out));
}

Result<Value> center(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("center", std::move(arguments), {"width"}));
  PLM_TRY(const int64_t width, bound.integer(0, 80));
  PLM_TRY(const std::string text, str(subject, in.budget()));
  const int64_t missing = width - static_cast<int64_t>(count_code_points(text));
  if (missing <= 0) return Value(text);
  // Python's str.center puts the odd blank to the left of an odd width.
  const int64_t left = missing / 2 + (missing & width & 1);
  PLM_TRY(const Value before, arithmetic(Operator::multiply, Value(" "), Value(left), in.budget()));
  PLM_TRY(const Value after, arithmetic(Operator::multiply, Value(" "), Value(missing - left), in.budget()));
  return Value(before.string() + text + after.string());
}

Result<Value> wordcount(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("wordcount", std::move(arguments), {}));
  PLM_TRY(const std::string text, str(subject, in.budget()));
  return Value(static_cast<int64_t>(count_words(text)));
}

Result<Value> format(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const std::string pattern, str(subject, in.budget()));
  if (!arguments.named.empty()) {
    Dict dict;
    for (auto& [name, value] : arguments.named) PLM_TRY_STATUS(dict.set(Value(name), std::move(value)));
    PLM_TRY(const Value values, make_dict(std::move(dict)));
    return format_percent(pattern, values, in.budget());
  }
  PLM_TRY(const Value values, make_sequence(std::move(arguments.positional), Flavor::tuple));
  return format_percent(pattern, values, in.budget());
}

Result<Value> tojson(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound,
          Bound::bind("tojson", std::move(arguments), {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style = {.ascii_only = bound.flag(0, false), .sort_keys = bound.flag(3, false)};
  if (bound.has(1) && bound[1].is_string()) {
    style.indent = bound[1].string();
  } else if (bound.has(1) && !bound[1].is_none()) {
    PLM_TRY(const int64_t width, bound.integer(1, 0));
    PLM_TRY(const Value blanks, arithmetic(Operator::multiply, Value(" "), Value(width), in.budget()));
    style.indent = blanks.string();
  }
  if (style.indent) style.item_separator = ",";
  if (bound.has(2) && !bound[2].is_none()) {
    PLM_TRY(const std::vector<Value> separators, items_of(bound[2], in.budget()));
    if (separators.size() != 2 || !separators[0].is_string() || !separators[1].is_string()) {
      return make_error(ErrorKind::bad_data, "tojson: separators must be two texts");
    }
    style.item_separator = separators[0].string();
    style.key_separator = separators[1].string();
  }
  PLM_TRY(std::string json, to_json(subject, style, in.budget()));
  return Value(std::move(json));
}

// float("1.5"); nothing for what is no number.
std::optional<double> parse_real(std::string_view text) {
  text = strip(text, Side::both);
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits += c;
  }
  std::string_view rest = digits;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  double value = 0;
  const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (rest.empty() || rest.starts_with("nan(") || end.ptr != rest.data() + rest.size()) return std::nullopt;
  if (end.ec == std::errc::result_out_of_range) return std::nullopt;
  return end.ec == std::errc() ? std::optional<double>(value) : std::nullopt;
}

// int("0x1f", 16); nothing for what is no integer.
std::optional<int64_t> parse_integer(std::string_view text, int64_t base) {
  text = strip(text, Side::both);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const std::string_view prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "";
  if (!prefix.empty() && text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == prefix[1])
    text.remove_prefix(2);
  std::string digits = negative ? "-" : "";
  for (const char c : text) {
    if (c != '_') digits += c;
  }
  int64_t value = 0;
  const auto end =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(base));
  if (text.empty() || text[0] == '-' || end.ec != std::errc() || end.ptr != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return value;
}

// Nothing for what is not finite.
Result<std::optional<int64_t>> truncated(double value) {
  if (!std::isfinite(value)) return std::optional<int64_t>();
  if (std::fabs(value) < 9.2e18) return std::optional<int64_t>(static_cast<int64_t>(value));
  return make_error(ErrorKind::bad_data, "int: the number does not fit 64 bits");
}

Result<Value> to_int(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("int", std::move(arguments), {"default", "base"}));
  PLM_TRY(const int64_t base, bound.integer(1, 10));
  if (base < 2 || base > 36) return make_error(ErrorKind::bad_data, "int: the base {} is not in 2..36", base);
  if (subject.is_undefined()) return undefined_error(subject);
  std::optional<int64_t> value;
  if (subject.is_integral()) value = subject.integer();
  if (subject.is(Value::Kind::real)) {
    PLM_TRY(value, truncated(subject.real()));
  }
  if (subject.is_string()) {
    value = parse_integer(subject.string(), base);
    if (!value) {
      if (const auto real = parse_real(subject.string())) {
        PLM_TRY(value, truncated(*real));
      }
    }
  }
  if (value) return Value(*value);
  return bound.has(0) ? bound[0] : Value(int64_t{0});
}

Result<Value> to_float(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("float", std::move(arguments), {"default"}));
  if (subject.is_undefined()) return undefined_error(subject);
  if (subject.is_number()) return Value(subject.real());
  if (subject.is_string()) {
    if (const auto value = parse_real(subject.string())) return Value(*value);
  }
  return bound.has(0) ? bound[0] : Value(0.0);
}

Result<Value> absolute(Interpreter& in, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("abs", std::move(arguments), {}));
  if (!subject.is_number()) return negate(subject);
  PLM_TRY(const bool is_negative, less(subject, Value(int64_t{0}), in.budget()));
  if (is_negative) return negate(subject);
  return plus(subject);
}

// Always a float, as in jinja2; to even, exactly as the decimal digits say.
Result<Value> round_number(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("round", std::move(arguments), {"precision", "method"}));
  PLM_TRY(const int64_t precision, bound.integer(0, 0));
  PLM_TRY(const std::string method, bound.text(1, "common"));
  if (subject.is_undefined()) return undefined_error(subject);
  if (!subject.is_number() || precision < 0 || precision > 300) {
    return make_error(ErrorKind::bad_data, "round: expected a number and a precision of 0 to 300");
  }
  const double value = subject.real();
  if (method == "ceil" || method == "floor") {
    const double scale = std::pow(10.0, static_cast<double>(precision));
    return Value((method == "ceil" ? std::ceil(value * scale) : std::floor(value * scale)) / scale);
  }
  if (method != "common")
    return make_error(ErrorKind::bad_data, "round: method must be common, ceil or floor");
  if (!std::isfinite(value)) return Value(value);
  if (subject.is_integral()) return plus(subject);
  const std::string digits = fmt::format("{:.{}f}", value, precision);
  double rounded = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), rounded);
  return Value(rounded);
}

constexpr std::array<FilterEntry, 20> kFilters = {{
    {"abs", absolute},
    {"capitalize", text_filter<to_capitalized>},
    {"center", center},
    {"e", text_filter<escaped>},
    {"escape", text_filter<escaped>},
    {"float", to_float},
    {"forceescape", text_filter<escaped>},
    {"format", format},
    {"indent", indent},
    {"int", to_int},
    {"lower", text_filter<to_lower>},
    {"replace", replace},
    {"round", round_number},
    {"safe", text_filter<same_text>},
    {"string", text_filter<same_text>},
    {"title", text_filter<to_title_words>},
    {"tojson", tojson},
    {"trim", trim},
    {"upper", text_filter<to_upper>},
    {"wordcount", wordcount},
}};

}  // namespace

std::optional<Filter> find_text_filter(std::string_view name) {
  const auto* entry =
      std::find_if(kFilters.begin(), kFilters.end(), [&](const auto& e) { return e.name == name; });
  if (entry == kFilters.end()) return std::nullopt;
  return entry->filter;
}

}  // namespace plm::jinja
