#include "jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "jinja/callable.h"
#include "jinja/format.h"
#include "jinja/methods.h"
#include "jinja/text.h"

namespace plm::jinja {
namespace {

Error bad_operands(std::string_view op, const Value& a, const Value& b) {
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  return make_error(ErrorKind::bad_data, "unsupported operand types for {}: '{}' and '{}'", op, a.type_name(),
                    b.type_name());
}

Error overflow() { return make_error(ErrorKind::bad_data, "an integer does not fit 64 bits"); }

Result<bool> equal_sequences(const Sequence& a, const Sequence& b, Budget& budget) {
  if (&a == &b) return true;
  if (a.flavor != b.flavor || a.flavor == Flavor::generator || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    PLM_TRY(const bool same, equal(a.items[i], b.items[i], budget));
    if (!same) return false;
  }
  return true;
}

Result<bool> equal_dicts(const Dict& a, const Dict& b, Budget& budget) {
  if (&a == &b) return true;
  if (a.entries().size() != b.entries().size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key);
    if (other == nullptr) return false;
    PLM_TRY(const bool same, equal(value, *other, budget));
    if (!same) return false;
  }
  return true;
}

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

double floor_modulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) return rest + b;
  return rest == 0 ? std::copysign(0.0, b) : rest;
}

Result<Value> power(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral() && b.integer() >= 0) {
    int64_t result = 1, base = a.integer();
    for (int64_t exponent = b.integer(); exponent > 0; exponent >>= 1) {
      if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return overflow();
      if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) return overflow();
    }
    return Value(result);
  }
  if (a.real() == 0 && b.real() < 0) return make_error(ErrorKind::bad_data, "zero to a negative power");
  const double result = std::pow(a.real(), b.real());
  if (std::isnan(result) && !std::isnan(a.real()) && !std::isnan(b.real())) {
    return make_error(ErrorKind::bad_data, "a negative number to a fractional power");
  }
  if (std::isinf(result) && !std::isinf(a.real()) && !std::isinf(b.real())) {
    return make_error(ErrorKind::bad_data, "the result of ** is too large");
  }
  return Value(result);
}

Result<Value> integer_arithmetic(Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::add:
      if (__builtin_add_overflow(a, b, &result)) return overflow();
      return Value(result);
    case Operator::subtract:
      if (__builtin_sub_overflow(a, b, &result)) return overflow();
      return Value(result);
    case Operator::multiply:
      if (__builtin_mul_overflow(a, b, &result)) return overflow();
      return Value(result);
    default:
      break;
  }
  if (b == 0) return make_error(ErrorKind::bad_data, "division by zero");
  if (op == Operator::divide) return Value(static_cast<double>(a) / static_cast<double>(b));
  if (b == -1 && op == Operator::modulo) return Value(int64_t{0});
  if (b == -1 && a == std::numeric_limits<int64_t>::min()) return overflow();
  return Value(op == Operator::modulo ? a - floor_divide(a, b) * b : floor_divide(a, b));
}

Result<Value> real_arithmetic(Operator op, double a, double b) {
  if (op == Operator::add) return Value(a + b);
  if (op == Operator::subtract) return Value(a - b);
  if (op == Operator::multiply) return Value(a * b);
  if (b == 0) return make_error(ErrorKind::bad_data, "division by zero");
  if (op == Operator::divide) return Value(a / b);
  if (op == Operator::modulo) return Value(floor_modulo(a, b));
  const double whole = std::round((a - floor_modulo(a, b)) / b);
  return Value(whole == 0 ? std::copysign(0.0, a / b) : whole);
}

// "ab" * 3, [1] * 3.
Result<Value> repeat(const Value& value, int64_t times, Budget& budget) {
  const auto n = static_cast<size_t>(std::max<int64_t>(times, 0));
  const size_t unit =
      value.is_string() ? value.string().size() : value.sequence().items.size() * sizeof(Value);
  size_t bytes = 0;
  if (__builtin_mul_overflow(n, unit, &bytes)) bytes = std::numeric_limits<size_t>::max();
  PLM_TRY_STATUS(budget.spend_bytes(bytes));
  if (value.is_string()) {
    std::string text;
    if (unit == 0) return Value(text);
    text.reserve(bytes);
    for (size_t i = 0; i < n; ++i) text += value.string();
    return Value(std::move(text));
  }
  std::vector<Value> items;
  if (unit == 0) return make_sequence(items, value.sequence().flavor);
  items.reserve(n * value.sequence().items.size());
  for (size_t i = 0; i < n; ++i) {
    items.insert(items.end(), value.sequence().items.begin(), value.sequence().items.end());
  }
  return make_sequence(std::move(items), value.sequence().flavor);
}

Result<Value> concatenate(const Value& a, const Value& b, Budget& budget) {
  if (a.is_string()) {
    PLM_TRY_STATUS(budget.spend_bytes(a.string().size() + b.string().size()));
    return Value(a.string() + b.string());
  }
  std::vector<Value> items = a.sequence().items;
  PLM_TRY_STATUS(budget.spend_bytes((items.size() + b.sequence().items.size()) * sizeof(Value)));
  items.insert(items.end(), b.sequence().items.begin(), b.sequence().items.end());
  return make_sequence(std::move(items), a.sequence().flavor);
}

bool is_list_or_tuple(const Value& value) {
  return value.is_sequence(Flavor::list) || value.is_sequence(Flavor::tuple);
}
bool can_be_indexed(const Value& value) {
  return is_list_or_tuple(value) || value.is_sequence(Flavor::range);
}

std::string_view symbol_of(Operator op) {
  switch (op) {
    case Operator::add:
      return "+";
    case Operator::subtract:
      return "-";
    case Operator::multiply:
      return "*";
    case Operator::divide:
      return "/";
    case Operator::floor_divide:
      return "//";
    case Operator::modulo:
      return "%";
    case Operator::power:
      return "**";
    case Operator::less:
      return "<";
    case Operator::less_equal:
      return "<=";
    case Operator::greater:
      return ">";
    case Operator::greater_equal:
      return ">=";
    default:
      return "==";
  }
}

// value[key] without a fallback; nothing when there is no such item.
Result<std::optional<Value>> plain_item(const Value& value, const Value& key, Budget& budget) {
  if (value.is_undefined()) return undefined_error(value);
  if (value.is_dict()) {
    const Value* found = value.dict().find(key);
    return found == nullptr ? std::optional<Value>() : *found;
  }
  if (!key.is_integral()) return std::optional<Value>();
  int64_t index = key.integer();
  if (can_be_indexed(value)) {
    const auto& items = value.sequence().items;
    if (index < 0) index += std::ssize(items);
    if (index < 0 || index >= std::ssize(items)) return std::optional<Value>();
    return std::optional<Value>(items[static_cast<size_t>(index)]);
  }
  if (value.is_string()) {
    PLM_TRY_STATUS(budget.spend_steps(value.string().size() / 16));
    const auto points = code_points(value.string());
    if (index < 0) index += std::ssize(points);
    if (index < 0 || index >= std::ssize(points)) return std::optional<Value>();
    return std::optional<Value>(Value(std::string(points[static_cast<size_t>(index)])));
  }
  return std::optional<Value>();
}

// What Python's getattr finds.
std::optional<Value> plain_attribute(const Value& value, const std::string& name) {
  if (value.is(Value::Kind::name_space)) {
    const auto field = value.name_space().fields.find(name);
    if (field == value.name_space().fields.end()) return std::nullopt;
    return field->second;
  }
  if (value.is(Value::Kind::loop)) return loop_attribute(value, name);
  return method_of(value, name);
}

}  // namespace

Error undefined_error(const Value& value) { return make_error(ErrorKind::bad_data, "{}", value.what()); }

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::undefined:
    case Value::Kind::none:
      return false;
    case Value::Kind::boolean:
      return value.boolean();
    case Value::Kind::integer:
      return value.integer() != 0;
    case Value::Kind::real:
      return value.real() != 0;
    case Value::Kind::string:
      return !value.string().empty();
    case Value::Kind::sequence:
      return value.sequence().flavor == Flavor::generator || !value.sequence().items.empty();
    case Value::Kind::dict:
      return !value.dict().entries().empty();
    default:
      return true;
  }
}

Result<bool> equal(const Value& a, const Value& b, Budget& budget) {
  PLM_TRY_STATUS(budget.spend_steps(1));
  if (a.is_integral() && b.is_integral()) return a.integer() == b.integer();
  if (a.is_number() && b.is_number()) return a.real() == b.real();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::undefined:
    case Value::Kind::none:
      return true;
    case Value::Kind::string:
      PLM_TRY_STATUS(budget.spend_steps(a.string().size() / 64));
      return a.string() == b.string();
    case Value::Kind::sequence:
      return equal_sequences(a.sequence(), b.sequence(), budget);
    case Value::Kind::dict:
      return equal_dicts(a.dict(), b.dict(), budget);
    default:
      return a.same_as(b);
  }
}

Result<bool> less(const Value& a, const Value& b, Budget& budget) {
  PLM_TRY_STATUS(budget.spend_steps(1));
  if (a.is_integral() && b.is_integral()) return a.integer() < b.integer();
  if (a.is_number() && b.is_number()) return a.real() < b.real();
  if (a.is_string() && b.is_string()) {
    PLM_TRY_STATUS(budget.spend_steps(a.string().size() / 64));
    return a.string() < b.string();
  }
  if (is_list_or_tuple(a) && is_list_or_tuple(b) && a.sequence().flavor == b.sequence().flavor) {
    const auto& left = a.sequence().items;
    const auto& right = b.sequence().items;
    for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
      PLM_TRY(const bool same, equal(left[i], right[i], budget));
      if (!same) return less(left[i], right[i], budget);
    }
    return left.size() < right.size();
  }
  return bad_operands("<", a, b);
}

Result<bool> contains(const Value& container, const Value& item, Budget& budget) {
  if (container.is_undefined()) return false;
  if (container.is_string()) {
    if (!item.is_string()) {
      return make_error(ErrorKind::bad_data, "'in <string>' requires string as left operand, not {}",
                        item.type_name());
    }
    PLM_TRY_STATUS(budget.spend_steps(container.string().size() / 16));
    return container.string().find(item.string()) != std::string::npos;
  }
  if (container.is_dict()) {
    Dict hashable;
    PLM_TRY_STATUS(hashable.set(item, Value()));
    return container.dict().find(item) != nullptr;
  }
  if (!container.is_sequence()) {
    return make_error(ErrorKind::bad_data, "argument of type '{}' is not iterable", container.type_name());
  }
  PLM_TRY(const std::vector<Value> items, items_of(container, budget));
  for (const Value& candidate : items) {
    PLM_TRY(const bool same, equal(candidate, item, budget));
    if (same) return true;
  }
  return false;
}

Result<bool> compare(Operator op, const Value& a, const Value& b, Budget& budget) {
  switch (op) {
    case Operator::equal:
      return equal(a, b, budget);
    case Operator::not_equal: {
      PLM_TRY(const bool same, equal(a, b, budget));
      return !same;
    }
    case Operator::in:
      return contains(b, a, budget);
    case Operator::not_in: {
      PLM_TRY(const bool inside, contains(b, a, budget));
      return !inside;
    }
    case Operator::less:
      return less(a, b, budget);
    case Operator::greater:
      return less(b, a, budget);
    default:
      break;
  }
  PLM_TRY(const bool below, op == Operator::less_equal ? less(a, b, budget) : less(b, a, budget));
  if (below) return true;
  return equal(a, b, budget);
}

Result<Value> arithmetic(Operator op, const Value& a, const Value& b, Budget& budget) {
  if (a.is_number() && b.is_number()) {
    if (op == Operator::power) return power(a, b);
    if (a.is_integral() && b.is_integral()) return integer_arithmetic(op, a.integer(), b.integer());
    return real_arithmetic(op, a.real(), b.real());
  }
  if (op == Operator::modulo && a.is_string()) return format_percent(a.string(), b, budget);
  const bool alike = (a.is_string() && b.is_string()) || (is_list_or_tuple(a) && is_list_or_tuple(b) &&
                                                          a.sequence().flavor == b.sequence().flavor);
  if (op == Operator::add && alike) return concatenate(a, b, budget);
  if (op == Operator::multiply) {
    if ((a.is_string() || is_list_or_tuple(a)) && b.is_integral()) return repeat(a, b.integer(), budget);
    if ((b.is_string() || is_list_or_tuple(b)) && a.is_integral()) return repeat(b, a.integer(), budget);
  }
  return bad_operands(symbol_of(op), a, b);
}

Result<Value> negate(const Value& value) {
  if (value.is(Value::Kind::real)) return Value(-value.real());
  if (value.is_integral()) return integer_arithmetic(Operator::subtract, 0, value.integer());
  if (value.is_undefined()) return undefined_error(value);
  return make_error(ErrorKind::bad_data, "bad operand type for unary -: '{}'", value.type_name());
}

Result<Value> plus(const Value& value) {
  if (value.is(Value::Kind::real)) return value;
  if (value.is_integral()) return Value(value.integer());
  if (value.is_undefined()) return undefined_error(value);
  return make_error(ErrorKind::bad_data, "bad operand type for unary +: '{}'", value.type_name());
}

Result<std::vector<Value>> items_of(const Value& value, Budget& budget) {
  std::vector<Value> items;
  if (value.is_sequence()) {
    const Sequence& sequence = value.sequence();
    if (sequence.flavor == Flavor::generator && std::exchange(sequence.consumed, true)) return items;
    items = sequence.items;
  } else if (value.is_string()) {
    PLM_TRY_STATUS(budget.spend_bytes(value.string().size() * sizeof(Value)));
    for (const std::string_view point : code_points(value.string())) items.emplace_back(std::string(point));
  } else if (value.is_dict()) {
    for (const auto& [key, ignored] : value.dict().entries()) items.push_back(key);
  } else if (!value.is_undefined()) {
    return make_error(ErrorKind::bad_data, "'{}' object is not iterable", value.type_name());
  }
  PLM_TRY_STATUS(budget.spend_bytes(items.size() * sizeof(Value)));
  PLM_TRY_STATUS(budget.spend_steps(items.size()));
  return items;
}

Result<int64_t> length_of(const Value& value) {
  if (value.is_undefined()) return int64_t{0};
  if (value.is_string()) return static_cast<int64_t>(count_code_points(value.string()));
  if (value.is_dict()) return std::ssize(value.dict().entries());
  if (value.is_sequence() && value.sequence().flavor != Flavor::generator) {
    return std::ssize(value.sequence().items);
  }
  if (value.is(Value::Kind::loop)) return std::ssize(value.loop().items);
  return make_error(ErrorKind::bad_data, "object of type '{}' has no len()", value.type_name());
}

Result<Value> item_of(const Value& value, const Value& key, Budget& budget) {
  PLM_TRY(std::optional<Value> item, plain_item(value, key, budget));
  if (item) return *item;
  if (key.is_string()) {
    if (auto attribute = plain_attribute(value, key.string())) return *attribute;
    return Value::undefined(
        fmt::format("'{} object' has no attribute '{}'", value.type_name(), key.string()));
  }
  if (key.is_integral()) {
    return Value::undefined(fmt::format("'{} object' has no element {}", value.type_name(), key.integer()));
  }
  return Value::undefined(fmt::format("'{} object' has no such element", value.type_name()));
}

Result<Value> attribute_of(const Value& value, const std::string& name, Budget& budget) {
  if (value.is_undefined()) return undefined_error(value);
  if (auto attribute = plain_attribute(value, name)) return *attribute;
  if (value.is_dict()) {
    PLM_TRY(std::optional<Value> item, plain_item(value, Value(name), budget));
    if (item) return *item;
  }
  return Value::undefined(fmt::format("'{} object' has no attribute '{}'", value.type_name(), name));
}

Result<Value> slice_of(const Value& value, const SliceBounds& bounds, Budget& budget) {
  if (value.is_undefined()) return undefined_error(value);
  if (!value.is_string() && !can_be_indexed(value)) {
    return Value::undefined(fmt::format("'{} object' has no slices", value.type_name()));
  }
  const int64_t step = bounds.step.value_or(1);
  if (step == 0) return make_error(ErrorKind::bad_data, "slice step cannot be zero");
  std::vector<std::string_view> points;
  if (value.is_string()) {
    PLM_TRY_STATUS(budget.spend_bytes(value.string().size() * sizeof(std::string_view)));
    points = code_points(value.string());
  }
  const int64_t n = value.is_string() ? std::ssize(points) : std::ssize(value.sequence().items);
  PLM_TRY_STATUS(budget.spend_steps(static_cast<size_t>(n) / 16));
  const auto clamp = [&](std::optional<int64_t> bound, int64_t fallback) {
    if (!bound) return fallback;
    const int64_t at = *bound < 0 ? std::max<int64_t>(*bound, -n - 1) + n : *bound;
    return step > 0 ? std::clamp<int64_t>(at, 0, n) : std::clamp<int64_t>(at, -1, n - 1);
  };
  const int64_t start = clamp(bounds.start, step > 0 ? 0 : n - 1);
  const int64_t stop = clamp(bounds.stop, step > 0 ? n : -1);
  std::string text;
  std::vector<Value> items;
  // A step beyond the ends is as good as any that leaves at once.
  const int64_t stride = std::clamp<int64_t>(step, -n - 1, n + 1);
  for (int64_t i = start; stride > 0 ? i < stop : i > stop; i += stride) {
    if (value.is_string()) {
      text += points[static_cast<size_t>(i)];
    } else {
      items.push_back(value.sequence().items[static_cast<size_t>(i)]);
    }
  }
  PLM_TRY_STATUS(budget.spend_bytes(text.size() + items.size() * sizeof(Value)));
  if (value.is_string()) return Value(std::move(text));
  return make_sequence(std::move(items), value.sequence().flavor);
}

}  // namespace plm::jinja
