#include "jinja/interpreter.h"

#include "jinja/format.h"
#include "jinja/globals.h"
#include "jinja/interpreter_scopes.h"
#include "jinja/methods.h"
#include "jinja/operators.h"

namespace plm::jinja {

Interpreter::Interpreter(const Limits& limits, const std::tm& now)
    : budget_(limits),
      output_limit_(limits.output_bytes),
      depth_limit_(limits.depth),
      now_(now),
      scope_(std::make_shared<Scope>()) {}

Interpreter::~Interpreter() {
  for (const auto& space : namespaces_) space->fields.clear();
}

Value Interpreter::new_namespace() {
  namespaces_.push_back(std::make_shared<Namespace>());
  return Value(namespaces_.back());
}

Result<std::string> Interpreter::run(const Block& block, const Dict& variables) {
  for (const auto& [name, value] : variables.entries()) PLM_TRY_STATUS(set_variable(name.string(), value));
  std::string out;
  PLM_TRY(const Flow flow, run_block(block, out));
  PLM_CHECK(flow == Flow::normal);
  return out;
}

Status Interpreter::write(std::string_view text, std::string& out) {
  if (static_cast<int64_t>(out.size() + text.size()) > output_limit_) {
    return make_error(ErrorKind::bad_data, "the template writes more than {} bytes", output_limit_);
  }
  return budget_.append(out, text);
}

Status Interpreter::set_variable(const std::string& name, Value value) {
  PLM_TRY_STATUS(budget_.spend_bytes(name.size() + sizeof(Value)));
  scope_->variables.insert_or_assign(name, std::move(value));
  return {};
}

Result<Interpreter::Flow> Interpreter::run_block(const Block& block, std::string& out) {
  const Deeper deeper(*this);
  PLM_TRY_STATUS(deeper.check());
  for (const auto& statement : block) {
    PLM_TRY_STATUS(budget_.spend_steps(1));
    line_ = statement->line;
    PLM_TRY(const Flow flow, run_statement(*statement, out));
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::run_statement(const Statement& statement, std::string& out) {
  switch (statement.kind) {
    case StatementKind::text:
      PLM_TRY_STATUS(write(statement.text, out));
      return Flow::normal;
    case StatementKind::output: {
      PLM_TRY(const Value value, evaluate(*statement.expression));
      PLM_TRY(const std::string text, str(value, budget_));
      PLM_TRY_STATUS(write(text, out));
      return Flow::normal;
    }
    case StatementKind::branch:
      return run_branch(statement, out);
    case StatementKind::loop:
      return run_loop(statement, out);
    case StatementKind::break_loop:
      return Flow::break_loop;
    case StatementKind::continue_loop:
      return Flow::continue_loop;
    case StatementKind::assign: {
      PLM_TRY(const Value value, evaluate(*statement.expression));
      PLM_TRY_STATUS(assign(statement.target, value));
      return Flow::normal;
    }
    case StatementKind::assign_block:
      PLM_TRY_STATUS(run_assign_block(statement));
      return Flow::normal;
    case StatementKind::macro:
      PLM_TRY_STATUS(set_variable(statement.text, macro_value(statement)));
      return Flow::normal;
    case StatementKind::call:
      PLM_TRY_STATUS(run_call(statement, out));
      return Flow::normal;
    case StatementKind::filter: {
      PLM_TRY(std::string body, captured(statement.body));
      PLM_TRY(const Value result, filtered(*statement.filter, std::move(body)));
      PLM_TRY(const std::string text, str(result, budget_));
      PLM_TRY_STATUS(write(text, out));
      return Flow::normal;
    }
    case StatementKind::with:
    case StatementKind::scope:
      break;
  }
  return run_scoped(statement, out);
}

Result<Interpreter::Flow> Interpreter::run_branch(const Statement& statement, std::string& out) {
  for (const Branch& branch : statement.branches) {
    if (branch.condition) {
      PLM_TRY(const Value condition, evaluate(*branch.condition));
      if (!truthy(condition)) continue;
    }
    return run_block(branch.body, out);
  }
  return Flow::normal;
}

// What the loop runs over, without what its condition leaves out.
Result<std::vector<Value>> Interpreter::loop_items(const Statement& statement) {
  PLM_TRY(const Value over, evaluate(*statement.expression));
  PLM_TRY(std::vector<Value> items, items_of(over, budget_));
  if (!statement.condition) return items;
  std::vector<Value> kept;
  for (Value& item : items) {
    const InnerScope inner(*this);
    PLM_TRY_STATUS(assign(statement.target, item));
    PLM_TRY(const Value condition, evaluate(*statement.condition));
    if (truthy(condition)) kept.push_back(std::move(item));
  }
  return kept;
}

Result<Interpreter::Flow> Interpreter::run_loop(const Statement& statement, std::string& out) {
  auto loop = std::make_shared<Loop>();
  PLM_TRY(loop->items, loop_items(statement));
  for (const Value& item : loop->items) loop->items_depth = std::max(loop->items_depth, item.depth());
  if (loop->items.empty()) {
    const InnerScope inner(*this);
    return run_block(statement.otherwise, out);
  }
  auto flow = run_loop_body(statement, loop, out);
  loop->last_changed.reset();
  return flow;
}

Result<Interpreter::Flow> Interpreter::run_loop_body(const Statement& statement,
                                                     const std::shared_ptr<Loop>& loop, std::string& out) {
  for (loop->index = 0; loop->index < loop->items.size(); ++loop->index) {
    PLM_TRY_STATUS(budget_.spend_steps(1));
    const InnerScope inner(*this);
    PLM_TRY_STATUS(set_variable("loop", Value(loop)));
    PLM_TRY_STATUS(assign(statement.target, loop->items[loop->index]));
    PLM_TRY(const Flow flow, run_block(statement.body, out));
    if (flow == Flow::break_loop) break;
  }
  return Flow::normal;
}

Result<Interpreter::Flow> Interpreter::run_scoped(const Statement& statement, std::string& out) {
  std::vector<Value> values;
  for (const auto& [target, expression] : statement.assignments) {
    PLM_TRY(Value value, evaluate(*expression));
    values.push_back(std::move(value));
  }
  const InnerScope inner(*this);
  for (size_t i = 0; i < values.size(); ++i) {
    PLM_TRY_STATUS(assign(statement.assignments[i].first, values[i]));
  }
  return run_block(statement.body, out);
}

Result<std::string> Interpreter::captured(const Block& body) {
  const InnerScope inner(*this);
  std::string out;
  PLM_TRY([[maybe_unused]] const Flow flow, run_block(body, out));
  return out;
}

Status Interpreter::run_assign_block(const Statement& statement) {
  PLM_TRY(std::string body, captured(statement.body));
  if (!statement.filter) return assign(statement.target, Value(std::move(body)));
  PLM_TRY(const Value value, filtered(*statement.filter, std::move(body)));
  return assign(statement.target, value);
}

// The filters of a block over its text, which the parser made the variable without a name.
Result<Value> Interpreter::filtered(const Expression& filter, std::string body) {
  const InnerScope inner(*this);
  PLM_TRY_STATUS(set_variable("", Value(std::move(body))));
  return evaluate(filter);
}

// {% call macro(arguments) %} body {% endcall %}: the body is caller() inside the macro.
Status Interpreter::run_call(const Statement& statement, std::string& out) {
  const Expression& call_expression = *statement.expression;
  PLM_TRY(const Value callee, evaluate(*call_expression.operands.front()));
  PLM_TRY(Arguments arguments, evaluate_arguments(call_expression));
  arguments.named.emplace_back("caller", macro_value(statement));
  PLM_TRY(const Value result, call(callee, std::move(arguments)));
  PLM_TRY(const std::string text, str(result, budget_));
  return write(text, out);
}

Status Interpreter::assign(const Target& target, const Value& value) {
  if (!target.parts.empty()) {
    PLM_TRY(const std::vector<Value> items, items_of(value, budget_));
    if (items.size() != target.parts.size()) {
      return make_error(ErrorKind::bad_data, "found {} values to unpack, expected {}", items.size(),
                        target.parts.size());
    }
    for (size_t i = 0; i < items.size(); ++i) PLM_TRY_STATUS(assign(target.parts[i], items[i]));
    return {};
  }
  if (target.field.empty()) return set_variable(target.name, value);
  PLM_TRY(const Value space, variable(target.name));
  if (!space.is(Value::Kind::name_space)) {
    return make_error(ErrorKind::bad_data, "cannot assign attribute on non-namespace object '{}'",
                      target.name);
  }
  PLM_TRY_STATUS(budget_.spend_bytes(target.field.size() + sizeof(Value)));
  space.name_space().fields.insert_or_assign(target.field, value);
  return {};
}

Value Interpreter::macro_value(const Statement& statement) const {
  return Value(std::make_shared<const Callable>(Callable{
      .kind = Callable::Kind::macro, .name = statement.text, .macro = &statement, .defined_in = scope_}));
}

Result<Value> Interpreter::call(const Value& callee, Arguments arguments) {
  if (callee.is_undefined()) return undefined_error(callee);
  if (!callee.is(Value::Kind::callable)) {
    return make_error(ErrorKind::bad_data, "'{}' object is not callable", callee.type_name());
  }
  const Callable& callable = callee.callable();
  switch (callable.kind) {
    case Callable::Kind::global:
      return call_global(*this, callable.name, std::move(arguments));
    case Callable::Kind::method:
      return call_method(callable, std::move(arguments), budget_);
    case Callable::Kind::macro:
      break;
  }
  return call_macro(callable, std::move(arguments));
}

Result<Value> Interpreter::call_macro(const Callable& callable, Arguments arguments) {
  const Deeper deeper(*this);
  PLM_TRY_STATUS(deeper.check());
  auto around = callable.defined_in.lock();
  if (!around) {
    return make_error(ErrorKind::bad_data, "the block that the macro '{}' was defined in has ended",
                      callable.name);
  }
  const InnerScope inner(*this, std::move(around));
  PLM_TRY_STATUS(bind_parameters(*callable.macro, std::move(arguments)));
  std::string out;
  PLM_TRY([[maybe_unused]] const Flow flow, run_block(callable.macro->body, out));
  return Value(std::move(out));
}

Status Interpreter::bind_parameters(const Statement& macro, Arguments arguments) {
  const auto& parameters = macro.parameters;
  std::vector<std::optional<Value>> values(parameters.size());
  std::vector<Value> varargs;
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    if (i < values.size()) {
      values[i] = std::move(arguments.positional[i]);
    } else {
      varargs.push_back(std::move(arguments.positional[i]));
    }
  }
  Dict kwargs;
  std::optional<Value> caller;
  for (auto& [name, value] : arguments.named) {
    size_t i = 0;
    while (i < parameters.size() && parameters[i].name != name) ++i;
    if (i < parameters.size()) {
      if (values[i])
        return make_error(ErrorKind::bad_data, "macro '{}' got two values for '{}'", macro.text, name);
      values[i] = std::move(value);
    } else if (name == "caller" && macro.takes_caller) {
      caller = std::move(value);
    } else if (macro.takes_kwargs && name != "caller") {
      PLM_TRY_STATUS(kwargs.set(Value(name), std::move(value)));
    } else {
      return make_error(ErrorKind::bad_data, "macro '{}' takes no keyword argument '{}'", macro.text, name);
    }
  }
  if (!varargs.empty() && !macro.takes_varargs) {
    return make_error(ErrorKind::bad_data, "macro '{}' takes not more than {} arguments", macro.text,
                      parameters.size());
  }
  if (macro.takes_caller) {
    PLM_TRY_STATUS(set_variable("caller", caller.value_or(Value::undefined("No caller defined"))));
  }
  if (macro.takes_varargs) {
    PLM_TRY(Value tuple, make_sequence(std::move(varargs), Flavor::tuple));
    PLM_TRY_STATUS(set_variable("varargs", std::move(tuple)));
  }
  if (macro.takes_kwargs) {
    PLM_TRY(Value dict, make_dict(std::move(kwargs)));
    PLM_TRY_STATUS(set_variable("kwargs", std::move(dict)));
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!values[i] && parameters[i].fallback) {
      PLM_TRY(values[i], evaluate(*parameters[i].fallback));
    }
    PLM_TRY_STATUS(
        set_variable(parameters[i].name, values[i].value_or(Value::undefined(fmt::format(
                                             "parameter '{}' was not provided", parameters[i].name)))));
  }
  return {};
}

}  // namespace plm::jinja
