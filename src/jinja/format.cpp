#include "jinja/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "jinja/callable.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace plm::jinja {
namespace {

Status show(const Value& value, std::string& out, Budget& budget);

Status show_items(const std::vector<Value>& items, std::string& out, Budget& budget) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) PLM_TRY_STATUS(budget.append(out, ", "));
    PLM_TRY_STATUS(show(items[i], out, budget));
  }
  return {};
}

Status show_sequence(const Sequence& sequence, std::string& out, Budget& budget) {
  if (sequence.flavor == Flavor::generator || sequence.flavor == Flavor::range) {
    return make_error(ErrorKind::bad_data, "a {} has no text; make a list of it first",
                      sequence.flavor == Flavor::range ? "range" : "generator");
  }
  std::string_view before = "[", after = "]";
  if (sequence.flavor == Flavor::tuple) {
    before = "(";
    after = sequence.items.size() == 1 ? ",)" : ")";
  } else if (sequence.flavor != Flavor::list) {
    before = sequence.flavor == Flavor::keys     ? "dict_keys(["
             : sequence.flavor == Flavor::values ? "dict_values(["
                                                 : "dict_items([";
    after = "])";
  }
  PLM_TRY_STATUS(budget.append(out, before));
  PLM_TRY_STATUS(show_items(sequence.items, out, budget));
  return budget.append(out, after);
}

Status show_dict(const Dict& dict, std::string& out, Budget& budget) {
  PLM_TRY_STATUS(budget.append(out, "{"));
  bool is_first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!std::exchange(is_first, false)) PLM_TRY_STATUS(budget.append(out, ", "));
    PLM_TRY_STATUS(show(key, out, budget));
    PLM_TRY_STATUS(budget.append(out, ": "));
    PLM_TRY_STATUS(show(value, out, budget));
  }
  return budget.append(out, "}");
}

// repr().
Status show(const Value& value, std::string& out, Budget& budget) {
  PLM_TRY_STATUS(budget.spend_steps(1));
  switch (value.kind()) {
    case Value::Kind::undefined:
      return budget.append(out, "Undefined");
    case Value::Kind::none:
      return budget.append(out, "None");
    case Value::Kind::boolean:
      return budget.append(out, value.boolean() ? "True" : "False");
    case Value::Kind::integer:
      return budget.append(out, fmt::format("{}", value.integer()));
    case Value::Kind::real:
      return budget.append(out, repr_of_real(value.real()));
    case Value::Kind::string:
      PLM_TRY_STATUS(budget.spend_bytes(value.string().size()));
      return budget.append(out, repr_of_text(value.string()));
    case Value::Kind::sequence:
      return show_sequence(value.sequence(), out, budget);
    case Value::Kind::dict:
      return show_dict(value.dict(), out, budget);
    case Value::Kind::loop:
      return budget.append(
          out, fmt::format("<LoopContext {}/{}>", value.loop().index + 1, value.loop().items.size()));
    default:
      return make_error(ErrorKind::bad_data, "a {} has no text", value.type_name());
  }
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}
  Status write(const Value& value, int depth);
  std::string take() { return std::move(out_); }

 private:
  Status line(int depth) {
    if (!style_.indent) return {};
    PLM_TRY_STATUS(budget_.append(out_, "\n"));
    for (int i = 0; i < depth; ++i) PLM_TRY_STATUS(budget_.append(out_, *style_.indent));
    return {};
  }
  Status text(std::string_view text) {
    PLM_TRY_STATUS(budget_.spend_bytes(text.size()));
    return budget_.append(out_, json_of_text(text, style_.ascii_only));
  }
  static std::string real(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
    return repr_of_real(number);
  }
  Status write_list(const std::vector<Value>& items, int depth);
  Status write_dict(const Dict& dict, int depth);
  static Result<std::string> key_text(const Value& key);

  const JsonStyle& style_;
  Budget& budget_;
  std::string out_;
};

Status JsonWriter::write(const Value& value, int depth) {
  PLM_TRY_STATUS(budget_.spend_steps(1));
  switch (value.kind()) {
    case Value::Kind::none:
      return budget_.append(out_, "null");
    case Value::Kind::boolean:
      return budget_.append(out_, value.boolean() ? "true" : "false");
    case Value::Kind::integer:
      return budget_.append(out_, fmt::format("{}", value.integer()));
    case Value::Kind::real:
      return budget_.append(out_, real(value.real()));
    case Value::Kind::string:
      return text(value.string());
    case Value::Kind::dict:
      return write_dict(value.dict(), depth);
    case Value::Kind::sequence:
      if (value.sequence().flavor == Flavor::list || value.sequence().flavor == Flavor::tuple) {
        return write_list(value.sequence().items, depth);
      }
      break;
    default:
      break;
  }
  return make_error(ErrorKind::bad_data, "Object of type {} is not JSON serializable", value.type_name());
}

Status JsonWriter::write_list(const std::vector<Value>& items, int depth) {
  PLM_TRY_STATUS(budget_.append(out_, "["));
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) PLM_TRY_STATUS(budget_.append(out_, style_.item_separator));
    PLM_TRY_STATUS(line(depth + 1));
    PLM_TRY_STATUS(write(items[i], depth + 1));
  }
  if (!items.empty()) PLM_TRY_STATUS(line(depth));
  return budget_.append(out_, "]");
}

Result<std::string> JsonWriter::key_text(const Value& key) {
  if (key.is_string()) return key.string();
  if (key.is_none()) return std::string("null");
  if (key.is(Value::Kind::boolean)) return std::string(key.boolean() ? "true" : "false");
  if (key.is(Value::Kind::integer)) return fmt::format("{}", key.integer());
  if (key.is(Value::Kind::real)) return real(key.real());
  return make_error(ErrorKind::bad_data, "keys must be str, int, float, bool or None, not {}",
                    key.type_name());
}

Status JsonWriter::write_dict(const Dict& dict, int depth) {
  std::vector<Dict::Entry> entries = dict.entries();
  if (style_.sort_keys) {
    const auto is_text = [](const Dict::Entry& entry) { return entry.first.is_string(); };
    if (!std::all_of(entries.begin(), entries.end(), is_text)) {
      return make_error(ErrorKind::bad_data, "keys that are not texts cannot be sorted");
    }
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.first.string() < b.first.string(); });
  }
  PLM_TRY_STATUS(budget_.append(out_, "{"));
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) PLM_TRY_STATUS(budget_.append(out_, style_.item_separator));
    PLM_TRY_STATUS(line(depth + 1));
    PLM_TRY(const std::string key, key_text(entries[i].first));
    PLM_TRY_STATUS(text(key));
    PLM_TRY_STATUS(budget_.append(out_, style_.key_separator));
    PLM_TRY_STATUS(write(entries[i].second, depth + 1));
  }
  if (!entries.empty()) PLM_TRY_STATUS(line(depth));
  return budget_.append(out_, "}");
}

// One conversion of a printf pattern: %-08.3f.
struct Conversion {
  bool left = false, plus = false, space = false, zero = false, alternate = false;
  size_t width = 0;
  std::optional<int> precision;
  char letter = 0;
};

constexpr size_t kMaxWidth = 10'000;

Result<std::string> convert_number(const Conversion& conversion, const Value& value) {
  const char letter = conversion.letter;
  if (!value.is_number()) {
    return make_error(ErrorKind::bad_data, "%{} format: a number is required, not {}", letter,
                      value.type_name());
  }
  std::string digits;
  const bool is_whole = std::string_view("diuxXo").find(letter) != std::string_view::npos;
  const double real = value.real();
  bool negative = real < 0;
  if (is_whole) {
    if (!value.is_integral() &&
        (letter == 'x' || letter == 'X' || letter == 'o' || std::fabs(real) >= 9e18 || std::isnan(real))) {
      return make_error(ErrorKind::bad_data, "%{} format: an integer is required", letter);
    }
    const int64_t whole = value.is_integral() ? value.integer() : static_cast<int64_t>(real);
    negative = whole < 0;
    const uint64_t magnitude = negative ? 0 - static_cast<uint64_t>(whole) : static_cast<uint64_t>(whole);
    digits = letter == 'x'   ? fmt::format("{:x}", magnitude)
             : letter == 'X' ? fmt::format("{:X}", magnitude)
             : letter == 'o' ? fmt::format("{:o}", magnitude)
                             : fmt::format("{}", magnitude);
    if (conversion.alternate && letter != 'd')
      digits = (letter == 'o' ? "0o" : letter == 'x' ? "0x" : "0X") + digits;
    const auto least = static_cast<size_t>(conversion.precision.value_or(0));
    if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  } else {
    negative = std::signbit(real) && !std::isnan(real);
    const std::string pattern =
        fmt::format("%{}.{}{}", conversion.alternate ? "#" : "", conversion.precision.value_or(6), letter);
    std::array<char, 512> buffer;
    const int n = std::snprintf(buffer.data(), buffer.size(), pattern.c_str(), std::fabs(real));
    if (n < 0 || static_cast<size_t>(n) >= buffer.size()) {
      return make_error(ErrorKind::bad_data, "%{} format: the number is too long", letter);
    }
    digits.assign(buffer.data(), static_cast<size_t>(n));
  }
  const std::string sign = negative ? "-" : conversion.plus ? "+" : conversion.space ? " " : "";
  if (conversion.zero && !conversion.left && sign.size() + digits.size() < conversion.width) {
    digits.insert(0, conversion.width - sign.size() - digits.size(), '0');
  }
  return sign + digits;
}

Result<std::string> convert(const Conversion& conversion, const Value& value, Budget& budget) {
  const char letter = conversion.letter;
  std::string text;
  if (letter == 's' || letter == 'r' || letter == 'a') {
    PLM_TRY(text, letter == 's' ? str(value, budget) : repr(value, budget));
    if (conversion.precision) {
      const auto points = code_points(text);
      const auto keep = static_cast<size_t>(*conversion.precision);
      if (keep < points.size()) text.resize(static_cast<size_t>(points[keep].data() - text.data()));
    }
  } else if (letter == 'c') {
    if (value.is_string() && count_code_points(value.string()) == 1) {
      text = value.string();
    } else if (value.is_integral() && value.integer() >= 0 && value.integer() < 0x110000) {
      text = utf8_of(static_cast<uint32_t>(value.integer()));
    } else {
      return make_error(ErrorKind::bad_data, "%c requires int or char");
    }
  } else {
    PLM_TRY(text, convert_number(conversion, value));
  }
  const size_t length = count_code_points(text);
  if (length < conversion.width) {
    const std::string blanks(conversion.width - length, ' ');
    text = conversion.left ? text + blanks : blanks + text;
  }
  return text;
}

class PercentFormat {
 public:
  PercentFormat(std::string_view pattern, const Value& values, Budget& budget)
      : pattern_(pattern), values_(values), budget_(budget) {}
  Result<Value> run();

 private:
  Status conversion();
  Result<Value> next_value();
  Result<size_t> number();
  bool done() const { return at_ >= pattern_.size(); }
  static Error incomplete() { return make_error(ErrorKind::bad_data, "incomplete format"); }

  std::string_view pattern_;
  const Value& values_;
  Budget& budget_;
  size_t at_ = 0, n_taken_ = 0;
  std::string out_;
  std::optional<Value> named_;
};

Result<Value> PercentFormat::run() {
  while (!done()) {
    const size_t percent = std::min(pattern_.find('%', at_), pattern_.size());
    PLM_TRY_STATUS(budget_.append(out_, pattern_.substr(at_, percent - at_)));
    at_ = percent;
    if (!done()) PLM_TRY_STATUS(conversion());
  }
  // Python takes whatever has items by name or number for a mapping, of which some may be left over.
  const bool is_tuple = values_.is_sequence(Flavor::tuple);
  const bool is_mapping = !is_tuple && (values_.is_dict() || values_.is_sequence() || values_.is_undefined());
  if (!is_mapping && n_taken_ < (is_tuple ? values_.sequence().items.size() : 1)) {
    return make_error(ErrorKind::bad_data, "not all arguments converted during string formatting");
  }
  return Value(std::move(out_));
}

Result<Value> PercentFormat::next_value() {
  if (named_) return *std::exchange(named_, std::nullopt);
  const size_t i = n_taken_++;
  if (values_.is_sequence(Flavor::tuple)) {
    if (i < values_.sequence().items.size()) return values_.sequence().items[i];
  } else if (i == 0) {
    return values_;
  }
  return make_error(ErrorKind::bad_data, "not enough arguments for format string");
}

Result<size_t> PercentFormat::number() {
  if (!done() && pattern_[at_] == '*')
    return make_error(ErrorKind::unsupported, "%* formats are not supported");
  size_t n = 0;
  for (; !done() && pattern_[at_] >= '0' && pattern_[at_] <= '9'; ++at_) {
    n = n * 10 + static_cast<size_t>(pattern_[at_] - '0');
    if (n > kMaxWidth) return make_error(ErrorKind::bad_data, "a format is wider than {}", kMaxWidth);
  }
  return n;
}

Status PercentFormat::conversion() {
  ++at_;
  if (done()) return incomplete();
  if (pattern_[at_] == '%') {
    ++at_;
    return budget_.append(out_, "%");
  }
  if (pattern_[at_] == '(') {
    const size_t end = pattern_.find(')', at_);
    if (end == std::string_view::npos) return make_error(ErrorKind::bad_data, "incomplete format key");
    if (!values_.is_dict()) return make_error(ErrorKind::bad_data, "format requires a mapping");
    const std::string_view key = pattern_.substr(at_ + 1, end - at_ - 1);
    const Value* value = values_.dict().find(key);
    if (value == nullptr) return make_error(ErrorKind::bad_data, "format: there is no '{}'", key);
    named_ = *value;
    at_ = end + 1;
  }
  Conversion conversion;
  for (; !done() && std::string_view("-+ 0#").find(pattern_[at_]) != std::string_view::npos; ++at_) {
    const char flag = pattern_[at_];
    (flag == '-'   ? conversion.left
     : flag == '+' ? conversion.plus
     : flag == ' ' ? conversion.space
     : flag == '0' ? conversion.zero
                   : conversion.alternate) = true;
  }
  PLM_TRY(conversion.width, number());
  if (!done() && pattern_[at_] == '.') {
    ++at_;
    PLM_TRY(const size_t precision, number());
    conversion.precision = static_cast<int>(precision);
  }
  if (done()) return incomplete();
  conversion.letter = pattern_[at_++];
  if (std::string_view("srcadiuxXofFeEgG").find(conversion.letter) == std::string_view::npos) {
    return make_error(ErrorKind::bad_data, "unsupported format character '{}'", conversion.letter);
  }
  PLM_TRY(const Value value, next_value());
  PLM_TRY(const std::string text, convert(conversion, value, budget_));
  return budget_.append(out_, text);
}

}  // namespace

Result<std::string> str(const Value& value, Budget& budget) {
  if (value.is_undefined()) return std::string();
  if (value.is_string()) {
    PLM_TRY_STATUS(budget.spend_bytes(value.string().size()));
    return value.string();
  }
  return repr(value, budget);
}

Result<std::string> repr(const Value& value, Budget& budget) {
  std::string out;
  PLM_TRY_STATUS(show(value, out, budget));
  return out;
}

Result<std::string> to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  PLM_TRY_STATUS(writer.write(value, 0));
  return writer.take();
}

Result<Value> format_percent(std::string_view pattern, const Value& values, Budget& budget) {
  return PercentFormat(pattern, values, budget).run();
}

}  // namespace plm::jinja
