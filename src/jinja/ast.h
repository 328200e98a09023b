// What the parser makes of a template: expressions and statements. Built once, never changed.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/value.h"

namespace plm::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

enum class Operator {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in
};

enum class ExpressionKind {
  literal,      // value
  name,         // text
  list,         // operands
  tuple,        // operands
  dict,         // operands: key, value, key, value, ...
  attribute,    // operands[0].text
  item,         // operands[0][operands[1]]
  slice,        // operands[0][operands[1]:operands[2]:operands[3]], nullptr where left out
  call,         // operands[0](operands[1...], named)
  filter,       // operands[0] | text(operands[1...], named); of a block the innermost operand is the name ""
  test,         // operands[0] is text(operands[1...], named)
  negate,       // -operands[0]
  plus,         // +operands[0]
  logical_not,  // not operands[0]
  logical_and,  // operands[0] and operands[1]
  logical_or,   // operands[0] or operands[1]
  binary,       // operands[0] operators[0] operands[1]
  compare,      // operands[0] operators[0] operands[1] operators[1] operands[2] ...
  concat,       // operands[0] ~ operands[1] ~ ...
  conditional,  // operands[0] if operands[1] else operands[2], which is nullptr where left out
};

struct Expression {
  ExpressionKind kind;
  int line;
  int depth = 1;  // expressions in expressions
  std::string text = {};
  Value value = {};
  std::vector<ExpressionPtr> operands = {};
  std::vector<Operator> operators = {};
  std::vector<std::pair<std::string, ExpressionPtr>> named = {};
};

// What is assigned to: a name, a namespace's field, or a tuple of targets.
struct Target {
  std::string name;                // "" for a tuple
  std::string field = {};          // of a namespace; "" for a plain name
  std::vector<Target> parts = {};  // of a tuple
};

struct Statement;
using Block = std::vector<std::unique_ptr<const Statement>>;

struct Parameter {
  std::string name;
  ExpressionPtr fallback;  // nullptr for none
};

enum class StatementKind {
  text,    // text
  output,  // expression
  branch,  // branches
  loop,    // target in expression, if condition; body, otherwise
  break_loop,
  continue_loop,
  assign,        // target = expression
  assign_block,  // target = body, through filter when there is one
  macro,         // text(parameters): body
  call,          // expression with body as caller(parameters)
  filter,        // filter over body
  with,          // targets and values; body
  scope,         // {% generation %}: body
};

struct Branch {
  ExpressionPtr condition;  // nullptr for else
  Block body;
};

struct Statement {
  StatementKind kind;
  int line;
  std::string text = {};
  Target target = {};
  ExpressionPtr expression = nullptr;
  ExpressionPtr condition = nullptr;
  ExpressionPtr filter = nullptr;
  std::vector<Parameter> parameters = {};
  std::vector<std::pair<Target, ExpressionPtr>> assignments = {};
  std::vector<Branch> branches = {};
  Block body = {};
  Block otherwise = {};
  bool takes_varargs = false;  // of a macro: its body speaks of varargs, ...
  bool takes_kwargs = false;
  bool takes_caller = false;
};

}  // namespace plm::jinja
