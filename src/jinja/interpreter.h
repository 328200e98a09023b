// Runs the statements of a template. One interpreter is one rendering.
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/arguments.h"
#include "jinja/ast.h"
#include "jinja/budget.h"
#include "jinja/callable.h"
#include "jinja/value.h"

namespace plm::jinja {

// Variables of a block, and of the blocks around it.
struct Scope {
  std::map<std::string, Value, std::less<>> variables = {};
  std::shared_ptr<Scope> around = nullptr;
};

class Interpreter {
 public:
  // now: local time as strftime_now sees it.
  Interpreter(const Limits& limits, const std::tm& now);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  Result<std::string> run(const Block& block, const Dict& variables);
  int line() const { return line_; }  // of what was run last: where an error comes from

  // For filters, tests and globals.
  Budget& budget() { return budget_; }
  const std::tm& now() const { return now_; }
  Value new_namespace();  // empty
  Result<Value> call(const Value& callee, Arguments arguments);
  Result<Value> apply_filter(const std::string& name, const Value& subject, Arguments arguments);
  Result<bool> apply_test(const std::string& name, const Value& subject, Arguments arguments);

 private:
  enum class Flow { normal, break_loop, continue_loop };
  class Deeper;      // counts nested evaluation
  class InnerScope;  // a scope while it lives

  Result<Flow> run_block(const Block& block, std::string& out);
  Result<Flow> run_statement(const Statement& statement, std::string& out);
  Result<Flow> run_branch(const Statement& statement, std::string& out);
  Result<Flow> run_loop(const Statement& statement, std::string& out);
  Result<Flow> run_loop_body(const Statement& statement, const std::shared_ptr<Loop>& loop, std::string& out);
  Result<Flow> run_scoped(const Statement& statement, std::string& out);
  Status run_assign_block(const Statement& statement);
  Status run_call(const Statement& statement, std::string& out);
  Result<std::vector<Value>> loop_items(const Statement& statement);
  Status write(std::string_view text, std::string& out);
  Status assign(const Target& target, const Value& value);
  Status set_variable(const std::string& name, Value value);
  Result<std::string> captured(const Block& body);
  Value macro_value(const Statement& statement) const;
  Result<Value> call_macro(const Callable& callable, Arguments arguments);
  Status bind_parameters(const Statement& macro, Arguments arguments);

  Result<Value> evaluate(const Expression& expression);
  Result<Value> evaluate_here(const Expression& expression);
  Result<Value> variable(const std::string& name) const;
  Result<std::vector<Value>> evaluate_all(const std::vector<ExpressionPtr>& operands, size_t first);
  Result<Arguments> evaluate_arguments(const Expression& expression);
  Result<Value> evaluate_dict(const Expression& expression);
  Result<Value> evaluate_slice(const Expression& expression);
  Result<Value> evaluate_call(const Expression& expression);
  Result<Value> evaluate_compare(const Expression& expression);
  Result<Value> evaluate_concat(const Expression& expression);
  Result<Value> evaluate_logical(const Expression& expression);
  Result<Value> evaluate_unary(const Expression& expression);
  Result<Value> filtered(const Expression& filter, std::string body);

  Budget budget_;
  int64_t output_limit_;
  int depth_limit_;
  std::tm now_;
  int depth_ = 0;
  int line_ = 1;
  std::shared_ptr<Scope> scope_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;  // emptied at the end, for they may hold themselves
};

}  // namespace plm::jinja
