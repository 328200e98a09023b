#include "jinja/globals.h"

#include <algorithm>
#include <array>

#include "jinja/format.h"
#include "jinja/interpreter.h"

namespace plm::jinja {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"dict", "namespace", "raise_exception", "range",
                                                    "strftime_now"};
constexpr int64_t kMaxRange = 100'000;  // jinja2's sandbox has the same
constexpr size_t kMaxDateBytes = 4096;

Result<Value> range(Interpreter& interpreter, Arguments arguments) {
  const size_t n_given = arguments.positional.size();
  PLM_TRY(const Bound bound, Bound::bind("range", std::move(arguments), {"start", "stop", "step"}, 1));
  PLM_TRY(const int64_t first, bound.integer(0, 0));
  PLM_TRY(const int64_t second, bound.integer(1, 0));
  PLM_TRY(const int64_t step, bound.integer(2, 1));
  if (step == 0) return make_error(ErrorKind::bad_data, "range: the step must not be zero");
  const int64_t start = n_given == 1 ? 0 : first;
  const int64_t stop = n_given == 1 ? first : second;
  std::vector<Value> items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (std::ssize(items) == kMaxRange)
      return make_error(ErrorKind::bad_data, "range: more than {} items", kMaxRange);
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  PLM_TRY_STATUS(interpreter.budget().spend_bytes(items.size() * sizeof(Value)));
  PLM_TRY_STATUS(interpreter.budget().spend_steps(items.size()));
  return make_sequence(std::move(items), Flavor::range);
}

// dict(mapping, key=value, ...), and the same for namespace.
Result<Dict> fields(std::string_view name, Arguments arguments) {
  Dict dict;
  if (arguments.positional.size() > 1 ||
      (arguments.positional.size() == 1 && !arguments.positional[0].is_dict())) {
    return make_error(ErrorKind::bad_data, "{}: expected a dict or named arguments", name);
  }
  if (!arguments.positional.empty()) dict = arguments.positional[0].dict();
  for (auto& [key, value] : arguments.named) PLM_TRY_STATUS(dict.set(Value(key), std::move(value)));
  return dict;
}

Result<Value> strftime_now(Interpreter& interpreter, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("strftime_now", std::move(arguments), {"format"}, 1));
  PLM_TRY(std::string format, bound.text(0, ""));
  if (format.empty()) return Value("");
  // A sign in front, so that an empty date differs from one that is too long.
  format.insert(0, "+");
  std::array<char, kMaxDateBytes> buffer;
  const size_t n = std::strftime(buffer.data(), buffer.size(), format.c_str(), &interpreter.now());
  if (n == 0)
    return make_error(ErrorKind::bad_data, "strftime_now: a date of more than {} bytes", kMaxDateBytes);
  return Value(std::string(buffer.data() + 1, n - 1));
}

}  // namespace

bool is_global(std::string_view name) {
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Result<Value> call_global(Interpreter& interpreter, const std::string& name, Arguments arguments) {
  if (name == "range") return range(interpreter, std::move(arguments));
  if (name == "strftime_now") return strftime_now(interpreter, std::move(arguments));
  if (name == "raise_exception") {
    PLM_TRY(const Bound bound, Bound::bind(name, std::move(arguments), {"message"}, 1));
    PLM_TRY(const std::string message, str(bound[0], interpreter.budget()));
    return make_error(ErrorKind::invalid_argument, "the template refuses: {}", message);
  }
  PLM_TRY(Dict dict, fields(name, std::move(arguments)));
  PLM_TRY_STATUS(
      interpreter.budget().spend_bytes(dict.entries().size() * sizeof(Dict::Entry) + sizeof(Namespace)));
  if (name == "dict") return make_dict(std::move(dict));
  Value space = interpreter.new_namespace();
  for (const auto& [key, value] : dict.entries()) {
    if (!key.is_string()) return make_error(ErrorKind::bad_data, "namespace: the names must be texts");
    space.name_space().fields.insert_or_assign(key.string(), value);
  }
  return space;
}

}  // namespace plm::jinja
