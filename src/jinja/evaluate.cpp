// The expressions of the interpreter.
#include "jinja/filters.h"
#include "jinja/format.h"
#include "jinja/globals.h"
#include "jinja/interpreter.h"
#include "jinja/interpreter_scopes.h"
#include "jinja/is_tests.h"
#include "jinja/operators.h"

namespace plm::jinja {

Result<Value> Interpreter::variable(const std::string& name) const {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->around.get()) {
    const auto found = scope->variables.find(name);
    if (found != scope->variables.end()) return found->second;
  }
  if (is_global(name)) {
    return Value(std::make_shared<const Callable>(Callable{.kind = Callable::Kind::global, .name = name}));
  }
  return Value::undefined(fmt::format("'{}' is undefined", name));
}

Result<Value> Interpreter::evaluate(const Expression& expression) {
  const Deeper deeper(*this);
  PLM_TRY_STATUS(deeper.check());
  PLM_TRY_STATUS(budget_.spend_steps(1));
  line_ = expression.line;
  return evaluate_here(expression);
}

Result<Value> Interpreter::evaluate_here(const Expression& expression) {
  switch (expression.kind) {
    case ExpressionKind::literal:
      return expression.value;
    case ExpressionKind::name:
      return variable(expression.text);
    case ExpressionKind::list:
    case ExpressionKind::tuple: {
      PLM_TRY(std::vector<Value> items, evaluate_all(expression.operands, 0));
      const bool is_list = expression.kind == ExpressionKind::list;
      PLM_TRY_STATUS(budget_.spend_bytes(items.size() * sizeof(Value)));
      return make_sequence(std::move(items), is_list ? Flavor::list : Flavor::tuple);
    }
    case ExpressionKind::dict:
      return evaluate_dict(expression);
    case ExpressionKind::attribute: {
      PLM_TRY(const Value subject, evaluate(*expression.operands[0]));
      return attribute_of(subject, expression.text, budget_);
    }
    case ExpressionKind::item: {
      PLM_TRY(const Value subject, evaluate(*expression.operands[0]));
      PLM_TRY(const Value key, evaluate(*expression.operands[1]));
      return item_of(subject, key, budget_);
    }
    case ExpressionKind::slice:
      return evaluate_slice(expression);
    case ExpressionKind::call:
      return evaluate_call(expression);
    case ExpressionKind::filter: {
      PLM_TRY(const Value subject, evaluate(*expression.operands[0]));
      PLM_TRY(Arguments arguments, evaluate_arguments(expression));
      return apply_filter(expression.text, subject, std::move(arguments));
    }
    case ExpressionKind::test: {
      PLM_TRY(const Value subject, evaluate(*expression.operands[0]));
      PLM_TRY(Arguments arguments, evaluate_arguments(expression));
      PLM_TRY(const bool holds, apply_test(expression.text, subject, std::move(arguments)));
      return Value(holds);
    }
    case ExpressionKind::negate:
    case ExpressionKind::plus:
    case ExpressionKind::logical_not:
      return evaluate_unary(expression);
    case ExpressionKind::logical_and:
    case ExpressionKind::logical_or:
    case ExpressionKind::conditional:
      return evaluate_logical(expression);
    case ExpressionKind::binary: {
      PLM_TRY(const Value left, evaluate(*expression.operands[0]));
      PLM_TRY(const Value right, evaluate(*expression.operands[1]));
      line_ = expression.line;
      return arithmetic(expression.operators[0], left, right, budget_);
    }
    case ExpressionKind::compare:
      return evaluate_compare(expression);
    case ExpressionKind::concat:
      break;
  }
  return evaluate_concat(expression);
}

Result<std::vector<Value>> Interpreter::evaluate_all(const std::vector<ExpressionPtr>& operands,
                                                     size_t first) {
  std::vector<Value> values;
  for (size_t i = first; i < operands.size(); ++i) {
    PLM_TRY(Value value, evaluate(*operands[i]));
    values.push_back(std::move(value));
  }
  return values;
}

Result<Arguments> Interpreter::evaluate_arguments(const Expression& expression) {
  Arguments arguments;
  PLM_TRY(arguments.positional, evaluate_all(expression.operands, 1));
  for (const auto& [name, operand] : expression.named) {
    PLM_TRY(Value value, evaluate(*operand));
    arguments.named.emplace_back(name, std::move(value));
  }
  line_ = expression.line;
  return arguments;
}

Result<Value> Interpreter::evaluate_dict(const Expression& expression) {
  Dict dict;
  for (size_t i = 0; i < expression.operands.size(); i += 2) {
    PLM_TRY(const Value key, evaluate(*expression.operands[i]));
    PLM_TRY(Value value, evaluate(*expression.operands[i + 1]));
    PLM_TRY_STATUS(budget_.spend_bytes(2 * sizeof(Value) + 32));
    PLM_TRY_STATUS(dict.set(key, std::move(value)));
  }
  return make_dict(std::move(dict));
}

Result<Value> Interpreter::evaluate_slice(const Expression& expression) {
  PLM_TRY(const Value subject, evaluate(*expression.operands[0]));
  std::optional<int64_t> bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    const ExpressionPtr& operand = expression.operands[i + 1];
    if (!operand) continue;
    PLM_TRY(const Value bound, evaluate(*operand));
    if (bound.is_none()) continue;
    if (bound.is_undefined()) return undefined_error(bound);
    if (!bound.is_integral()) {
      return make_error(ErrorKind::bad_data, "slice indices must be integers or None, not {}",
                        bound.type_name());
    }
    bounds[i] = bound.integer();
  }
  return slice_of(subject, {.start = bounds[0], .stop = bounds[1], .step = bounds[2]}, budget_);
}

Result<Value> Interpreter::evaluate_call(const Expression& expression) {
  PLM_TRY(const Value callee, evaluate(*expression.operands[0]));
  PLM_TRY(Arguments arguments, evaluate_arguments(expression));
  return call(callee, std::move(arguments));
}

Result<Value> Interpreter::evaluate_compare(const Expression& expression) {
  PLM_TRY(Value left, evaluate(*expression.operands[0]));
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    PLM_TRY(Value right, evaluate(*expression.operands[i + 1]));
    line_ = expression.line;
    PLM_TRY(const bool holds, compare(expression.operators[i], left, right, budget_));
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Interpreter::evaluate_concat(const Expression& expression) {
  std::string out;
  for (const ExpressionPtr& operand : expression.operands) {
    PLM_TRY(const Value value, evaluate(*operand));
    PLM_TRY(const std::string text, str(value, budget_));
    PLM_TRY_STATUS(budget_.append(out, text));
  }
  return Value(std::move(out));
}

Result<Value> Interpreter::evaluate_logical(const Expression& expression) {
  if (expression.kind == ExpressionKind::conditional) {
    PLM_TRY(const Value condition, evaluate(*expression.operands[1]));
    if (truthy(condition)) return evaluate(*expression.operands[0]);
    if (expression.operands[2]) return evaluate(*expression.operands[2]);
    return Value::undefined("the inline if-expression evaluated to false and no else section was defined");
  }
  PLM_TRY(Value left, evaluate(*expression.operands[0]));
  const bool is_decided = truthy(left) == (expression.kind == ExpressionKind::logical_or);
  if (is_decided) return left;
  return evaluate(*expression.operands[1]);
}

Result<Value> Interpreter::evaluate_unary(const Expression& expression) {
  PLM_TRY(const Value operand, evaluate(*expression.operands[0]));
  if (expression.kind == ExpressionKind::logical_not) return Value(!truthy(operand));
  return expression.kind == ExpressionKind::negate ? negate(operand) : plus(operand);
}

Result<Value> Interpreter::apply_filter(const std::string& name, const Value& subject, Arguments arguments) {
  PLM_TRY_STATUS(budget_.spend_steps(1));
  const Filter filter = find_filter(name);
  if (filter == nullptr) return make_error(ErrorKind::unsupported, "the filter '{}' is not supported", name);
  return filter(*this, subject, std::move(arguments));
}

Result<bool> Interpreter::apply_test(const std::string& name, const Value& subject, Arguments arguments) {
  PLM_TRY_STATUS(budget_.spend_steps(1));
  const IsTest test = find_is_test(name);
  if (test == nullptr) return make_error(ErrorKind::unsupported, "the test '{}' is not supported", name);
  return test(*this, subject, std::move(arguments));
}

}  // namespace plm::jinja
