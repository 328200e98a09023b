#include "jinja/is_tests.h"

#include <algorithm>
#include <array>

#include "jinja/filters.h"
#include "jinja/format.h"
#include "jinja/interpreter.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace plm::jinja {
namespace {

using Kind = Value::Kind;

bool is_callable(const Value& value) { return value.is(Kind::callable); }
bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_boolean(const Value& value) { return value.is(Kind::boolean); }
bool is_true(const Value& value) { return is_boolean(value) && value.boolean(); }
bool is_false(const Value& value) { return is_boolean(value) && !value.boolean(); }
bool is_integer(const Value& value) { return value.is(Kind::integer); }
bool is_float(const Value& value) { return value.is(Kind::real); }
bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.is_sequence() || value.is_dict() ||
         value.is(Kind::loop);
}
// What has a length and items by number: a dict counts, as in Python's __getitem__.
bool is_sequence(const Value& value) {
  if (value.is_sequence()) {
    const Flavor flavor = value.sequence().flavor;
    return flavor == Flavor::list || flavor == Flavor::tuple || flavor == Flavor::range;
  }
  return value.is_string() || value.is_dict() || value.is_undefined();
}

// A test without arguments.
template <auto kTest>
Result<bool> plain(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("test", std::move(arguments), {}));
  return std::invoke(kTest, subject);
}

template <Operator kOperator>
Result<bool> comparison(Interpreter& interpreter, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("test", std::move(arguments), {"other"}, 1));
  return compare(kOperator, subject, bound[0], interpreter.budget());
}

Result<bool> is_even(Interpreter& interpreter, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("even", std::move(arguments), {}));
  PLM_TRY(const Value rest, arithmetic(Operator::modulo, subject, Value(int64_t{2}), interpreter.budget()));
  return !truthy(rest);
}

Result<bool> is_odd(Interpreter& interpreter, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("odd", std::move(arguments), {}));
  PLM_TRY(const Value rest, arithmetic(Operator::modulo, subject, Value(int64_t{2}), interpreter.budget()));
  return equal(rest, Value(int64_t{1}), interpreter.budget());
}

Result<bool> is_divisible_by(Interpreter& interpreter, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("divisibleby", std::move(arguments), {"num"}, 1));
  PLM_TRY(const Value rest, arithmetic(Operator::modulo, subject, bound[0], interpreter.budget()));
  return !truthy(rest);
}

Result<bool> is_same_as(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound bound, Bound::bind("sameas", std::move(arguments), {"other"}, 1));
  return subject.same_as(bound[0]);
}

template <auto kTest>
Result<bool> text_test(Interpreter& interpreter, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("test", std::move(arguments), {}));
  PLM_TRY(const std::string text, str(subject, interpreter.budget()));
  return kTest(text);
}

Result<bool> is_filter(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("test", std::move(arguments), {}));
  return subject.is_string() && find_filter(subject.string()) != nullptr;
}
Result<bool> is_test(Interpreter&, const Value& subject, Arguments arguments) {
  PLM_TRY(const Bound none, Bound::bind("test", std::move(arguments), {}));
  return subject.is_string() && find_is_test(subject.string()) != nullptr;
}

struct Entry {
  std::string_view name;
  IsTest test;
};
constexpr std::array<Entry, 38> kTests = {{
    {"!=", comparison<Operator::not_equal>},
    {"<", comparison<Operator::less>},
    {"<=", comparison<Operator::less_equal>},
    {"==", comparison<Operator::equal>},
    {">", comparison<Operator::greater>},
    {">=", comparison<Operator::greater_equal>},
    {"boolean", plain<is_boolean>},
    {"callable", plain<is_callable>},
    {"defined", plain<is_defined>},
    {"divisibleby", is_divisible_by},
    {"eq", comparison<Operator::equal>},
    {"equalto", comparison<Operator::equal>},
    {"even", is_even},
    {"false", plain<is_false>},
    {"filter", is_filter},
    {"float", plain<is_float>},
    {"ge", comparison<Operator::greater_equal>},
    {"greaterthan", comparison<Operator::greater>},
    {"gt", comparison<Operator::greater>},
    {"in", comparison<Operator::in>},
    {"integer", plain<is_integer>},
    {"iterable", plain<is_iterable>},
    {"le", comparison<Operator::less_equal>},
    {"lessthan", comparison<Operator::less>},
    {"lower", text_test<plm::jinja::is_lower>},
    {"lt", comparison<Operator::less>},
    {"mapping", plain<&Value::is_dict>},
    {"ne", comparison<Operator::not_equal>},
    {"none", plain<&Value::is_none>},
    {"number", plain<&Value::is_number>},
    {"odd", is_odd},
    {"sameas", is_same_as},
    {"sequence", plain<is_sequence>},
    {"string", plain<&Value::is_string>},
    {"test", is_test},
    {"true", plain<is_true>},
    {"undefined", plain<&Value::is_undefined>},
    {"upper", text_test<plm::jinja::is_upper>},
}};

}  // namespace

IsTest find_is_test(std::string_view name) {
  const auto* entry =
      std::find_if(kTests.begin(), kTests.end(), [&](const Entry& e) { return e.name == name; });
  return entry == kTests.end() ? nullptr : entry->test;
}

}  // namespace plm::jinja
