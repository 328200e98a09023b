#include "jinja/expression_parser.h"

#include <algorithm>
#include <optional>

namespace plm::jinja {
namespace {

constexpr int kMaxNesting = 100;          // brackets and blocks
constexpr int kMaxExpressionDepth = 200;  // also 1 + 1 + 1 + ...

std::optional<Operator> comparison_operator(const Token& token) {
  if (token.is_symbol("==")) return Operator::equal;
  if (token.is_symbol("!=")) return Operator::not_equal;
  if (token.is_symbol("<")) return Operator::less;
  if (token.is_symbol("<=")) return Operator::less_equal;
  if (token.is_symbol(">")) return Operator::greater;
  if (token.is_symbol(">=")) return Operator::greater_equal;
  if (token.is_name("in")) return Operator::in;
  return std::nullopt;
}

std::optional<Operator> product_operator(const Token& token) {
  if (token.is_symbol("*")) return Operator::multiply;
  if (token.is_symbol("/")) return Operator::divide;
  if (token.is_symbol("//")) return Operator::floor_divide;
  if (token.is_symbol("%")) return Operator::modulo;
  return std::nullopt;
}

}  // namespace

bool ExpressionParser::skip_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  ++at_;
  return true;
}

bool ExpressionParser::skip_symbol(std::string_view symbol) {
  if (!current().is_symbol(symbol)) return false;
  ++at_;
  return true;
}

Status ExpressionParser::expect_symbol(std::string_view symbol) {
  if (skip_symbol(symbol)) return {};
  return unexpected(fmt::format("'{}'", symbol));
}

Result<std::string> ExpressionParser::expect_name() {
  if (current().kind != TokenKind::name) return unexpected("a name");
  return take().text;
}

bool ExpressionParser::saw_name(size_t from, std::string_view name) const {
  for (size_t i = from; i < at_; ++i) {
    if (tokens_[i].is_name(name)) return true;
  }
  return false;
}

Error ExpressionParser::unexpected(std::string_view expected) const {
  return make_error(ErrorKind::bad_data, "line {}: found {}, expected {}", current().line,
                    current().description(), expected);
}

Status ExpressionParser::check_nesting() const {
  if (nesting_ <= kMaxNesting) return {};
  return make_error(ErrorKind::bad_data, "line {}: blocks and brackets are nested deeper than {}",
                    current().line, kMaxNesting);
}

Result<ExpressionPtr> ExpressionParser::finish(Expression expression) const {
  for (const ExpressionPtr& operand : expression.operands) {
    if (operand) expression.depth = std::max(expression.depth, operand->depth + 1);
  }
  for (const auto& [name, operand] : expression.named) {
    expression.depth = std::max(expression.depth, operand->depth + 1);
  }
  if (expression.depth > kMaxExpressionDepth) {
    return make_error(ErrorKind::bad_data, "line {}: an expression is deeper than {}", expression.line,
                      kMaxExpressionDepth);
  }
  return ExpressionPtr(std::make_unique<const Expression>(std::move(expression)));
}

Result<ExpressionPtr> ExpressionParser::binary(int line, Operator op, ExpressionPtr left,
                                               ExpressionPtr right) const {
  Expression expression = {.kind = ExpressionKind::binary, .line = line};
  expression.operands.push_back(std::move(left));
  expression.operands.push_back(std::move(right));
  expression.operators.push_back(op);
  return finish(std::move(expression));
}

Result<ExpressionPtr> ExpressionParser::unary_of(ExpressionKind kind, int line, ExpressionPtr operand) const {
  Expression expression = {.kind = kind, .line = line};
  expression.operands.push_back(std::move(operand));
  return finish(std::move(expression));
}

Result<ExpressionPtr> ExpressionParser::expression(bool with_conditional) {
  const Nesting nesting = nest();
  PLM_TRY_STATUS(check_nesting());
  return with_conditional ? conditional() : logical_or();
}

Result<ExpressionPtr> ExpressionParser::expression_or_tuple(bool with_conditional,
                                                            std::string_view end_name) {
  Expression tuple = {.kind = ExpressionKind::tuple, .line = current().line};
  bool is_tuple = false;
  while (true) {
    const Token& token = current();
    const bool is_end = token.kind == TokenKind::block_end || token.kind == TokenKind::output_end ||
                        token.is_symbol(")") || (!end_name.empty() && token.is_name(end_name));
    if (is_end) break;
    PLM_TRY(ExpressionPtr item, expression(with_conditional));
    tuple.operands.push_back(std::move(item));
    if (!skip_symbol(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && tuple.operands.empty()) return unexpected("an expression");
  if (!is_tuple) return std::move(tuple.operands.front());
  return finish(std::move(tuple));
}

Result<ExpressionPtr> ExpressionParser::conditional() {
  const int line = current().line;
  PLM_TRY(ExpressionPtr value, logical_or());
  while (skip_name("if")) {
    Expression expression = {.kind = ExpressionKind::conditional, .line = line};
    expression.operands.push_back(std::move(value));
    PLM_TRY(ExpressionPtr condition, logical_or());
    expression.operands.push_back(std::move(condition));
    ExpressionPtr otherwise;
    if (skip_name("else")) {
      const Nesting nesting = nest();
      PLM_TRY_STATUS(check_nesting());
      PLM_TRY(otherwise, conditional());
    }
    expression.operands.push_back(std::move(otherwise));
    PLM_TRY(value, finish(std::move(expression)));
  }
  return value;
}

Result<ExpressionPtr> ExpressionParser::logical_or() {
  PLM_TRY(ExpressionPtr left, logical_and());
  while (current().is_name("or")) {
    Expression expression = {.kind = ExpressionKind::logical_or, .line = take().line};
    expression.operands.push_back(std::move(left));
    PLM_TRY(ExpressionPtr right, logical_and());
    expression.operands.push_back(std::move(right));
    PLM_TRY(left, finish(std::move(expression)));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::logical_and() {
  PLM_TRY(ExpressionPtr left, logical_not());
  while (current().is_name("and")) {
    Expression expression = {.kind = ExpressionKind::logical_and, .line = take().line};
    expression.operands.push_back(std::move(left));
    PLM_TRY(ExpressionPtr right, logical_not());
    expression.operands.push_back(std::move(right));
    PLM_TRY(left, finish(std::move(expression)));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::logical_not() {
  if (!current().is_name("not")) return comparison();
  const Nesting nesting = nest();
  PLM_TRY_STATUS(check_nesting());
  const int line = take().line;
  PLM_TRY(ExpressionPtr operand, logical_not());
  return unary_of(ExpressionKind::logical_not, line, std::move(operand));
}

Result<ExpressionPtr> ExpressionParser::comparison() {
  Expression expression = {.kind = ExpressionKind::compare, .line = current().line};
  PLM_TRY(ExpressionPtr first, sum());
  expression.operands.push_back(std::move(first));
  while (true) {
    std::optional<Operator> op = comparison_operator(current());
    if (!op && current().is_name("not") && next().is_name("in")) {
      take();
      op = Operator::not_in;
    }
    if (!op) break;
    take();
    expression.operators.push_back(*op);
    PLM_TRY(ExpressionPtr operand, sum());
    expression.operands.push_back(std::move(operand));
  }
  if (expression.operators.empty()) return std::move(expression.operands.front());
  return finish(std::move(expression));
}

Result<ExpressionPtr> ExpressionParser::sum() {
  PLM_TRY(ExpressionPtr left, concatenation());
  while (current().is_symbol("+") || current().is_symbol("-")) {
    const Token token = take();
    PLM_TRY(ExpressionPtr right, concatenation());
    const Operator op = token.text == "+" ? Operator::add : Operator::subtract;
    PLM_TRY(left, binary(token.line, op, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::concatenation() {
  Expression expression = {.kind = ExpressionKind::concat, .line = current().line};
  do {
    PLM_TRY(ExpressionPtr operand, product());
    expression.operands.push_back(std::move(operand));
  } while (skip_symbol("~"));
  if (expression.operands.size() == 1) return std::move(expression.operands.front());
  return finish(std::move(expression));
}

Result<ExpressionPtr> ExpressionParser::product() {
  PLM_TRY(ExpressionPtr left, power());
  while (const auto op = product_operator(current())) {
    const int line = take().line;
    PLM_TRY(ExpressionPtr right, power());
    PLM_TRY(left, binary(line, *op, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::power() {
  PLM_TRY(ExpressionPtr left, unary(true));
  while (current().is_symbol("**")) {
    const int line = take().line;
    PLM_TRY(ExpressionPtr right, unary(true));
    PLM_TRY(left, binary(line, Operator::power, std::move(left), std::move(right)));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::unary(bool with_filters) {
  ExpressionPtr value;
  if (current().is_symbol("-") || current().is_symbol("+")) {
    const Nesting nesting = nest();
    PLM_TRY_STATUS(check_nesting());
    const Token token = take();
    PLM_TRY(ExpressionPtr operand, unary(false));
    const auto kind = token.text == "-" ? ExpressionKind::negate : ExpressionKind::plus;
    PLM_TRY(value, unary_of(kind, token.line, std::move(operand)));
  } else {
    PLM_TRY(value, primary());
  }
  PLM_TRY(value, postfix(std::move(value)));
  if (with_filters) return filters_and_tests(std::move(value));
  return value;
}

Result<ExpressionPtr> ExpressionParser::call_expression() {
  PLM_TRY(ExpressionPtr value, primary());
  return postfix(std::move(value));
}

Result<ExpressionPtr> ExpressionParser::primary() {
  const Token& token = current();
  Expression literal = {.kind = ExpressionKind::literal, .line = token.line};
  if (token.kind == TokenKind::name) {
    const std::string name = take().text;
    if (name == "true" || name == "True" || name == "false" || name == "False") {
      literal.value = Value(name == "true" || name == "True");
    } else if (name != "none" && name != "None") {
      literal.kind = ExpressionKind::name;
      literal.text = name;
    }
    return finish(std::move(literal));
  }
  if (token.kind == TokenKind::string) {
    std::string text;
    while (current().kind == TokenKind::string) text += take().value.string();
    literal.value = Value(std::move(text));
    return finish(std::move(literal));
  }
  if (token.kind == TokenKind::number) {
    literal.value = take().value;
    return finish(std::move(literal));
  }
  if (skip_symbol("(")) {
    if (current().is_symbol(")")) {
      take();
      return finish({.kind = ExpressionKind::tuple, .line = literal.line});
    }
    PLM_TRY(ExpressionPtr inner, expression_or_tuple(true));
    PLM_TRY_STATUS(expect_symbol(")"));
    return inner;
  }
  if (token.is_symbol("[")) return list();
  if (token.is_symbol("{")) return dict();
  return unexpected("an expression");
}

Result<ExpressionPtr> ExpressionParser::list() {
  Expression list = {.kind = ExpressionKind::list, .line = take().line};
  while (!skip_symbol("]")) {
    if (!list.operands.empty()) {
      PLM_TRY_STATUS(expect_symbol(","));
      if (skip_symbol("]")) break;
    }
    PLM_TRY(ExpressionPtr item, expression());
    list.operands.push_back(std::move(item));
  }
  return finish(std::move(list));
}

Result<ExpressionPtr> ExpressionParser::dict() {
  Expression dict = {.kind = ExpressionKind::dict, .line = take().line};
  while (!skip_symbol("}")) {
    if (!dict.operands.empty()) {
      PLM_TRY_STATUS(expect_symbol(","));
      if (skip_symbol("}")) break;
    }
    PLM_TRY(ExpressionPtr key, expression());
    PLM_TRY_STATUS(expect_symbol(":"));
    PLM_TRY(ExpressionPtr value, expression());
    dict.operands.push_back(std::move(key));
    dict.operands.push_back(std::move(value));
  }
  return finish(std::move(dict));
}

Result<ExpressionPtr> ExpressionParser::postfix(ExpressionPtr subject) {
  while (true) {
    if (current().is_symbol(".")) {
      PLM_TRY(subject, attribute(std::move(subject)));
    } else if (current().is_symbol("[")) {
      PLM_TRY(subject, item(std::move(subject)));
    } else if (current().is_symbol("(")) {
      PLM_TRY(subject, call(std::move(subject)));
    } else {
      return subject;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::filters_and_tests(ExpressionPtr subject) {
  while (true) {
    if (skip_symbol("|")) {
      PLM_TRY(subject, filters(std::move(subject)));
    } else if (current().is_name("is")) {
      PLM_TRY(subject, test(std::move(subject)));
    } else if (current().is_symbol("(")) {
      PLM_TRY(subject, call(std::move(subject)));
    } else {
      return subject;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::attribute(ExpressionPtr subject) {
  const int line = take().line;
  Expression expression = {.kind = ExpressionKind::attribute, .line = line};
  expression.operands.push_back(std::move(subject));
  if (current().kind == TokenKind::number && current().value.is(Value::Kind::integer)) {
    expression.kind = ExpressionKind::item;
    PLM_TRY(ExpressionPtr index,
            finish({.kind = ExpressionKind::literal, .line = line, .value = take().value}));
    expression.operands.push_back(std::move(index));
  } else {
    PLM_TRY(expression.text, expect_name());
  }
  return finish(std::move(expression));
}

// [a], [a, b], [a:b:c].
Result<ExpressionPtr> ExpressionParser::item(ExpressionPtr subject) {
  Expression expression = {.kind = ExpressionKind::item, .line = take().line};
  expression.operands.push_back(std::move(subject));
  std::vector<ExpressionPtr> parts(3);
  size_t n_colons = 0;
  while (!current().is_symbol("]")) {
    if (skip_symbol(":")) {
      if (++n_colons > 2) return unexpected("']'");
      continue;
    }
    if (n_colons == 0 && parts[0]) break;
    if (parts[n_colons]) return unexpected("']' or ':'");
    PLM_TRY(parts[n_colons], this->expression());
  }
  PLM_TRY_STATUS(expect_symbol("]"));
  if (n_colons == 0) {
    if (!parts[0]) return unexpected("an expression between the brackets");
    expression.operands.push_back(std::move(parts[0]));
    return finish(std::move(expression));
  }
  expression.kind = ExpressionKind::slice;
  for (ExpressionPtr& part : parts) expression.operands.push_back(std::move(part));
  return finish(std::move(expression));
}

Result<ExpressionPtr> ExpressionParser::call(ExpressionPtr subject) {
  Expression expression = {.kind = ExpressionKind::call, .line = current().line};
  expression.operands.push_back(std::move(subject));
  PLM_TRY(Arguments given, arguments());
  for (ExpressionPtr& argument : given.positional) expression.operands.push_back(std::move(argument));
  expression.named = std::move(given.named);
  return finish(std::move(expression));
}

Result<ExpressionParser::Arguments> ExpressionParser::arguments() {
  PLM_TRY_STATUS(expect_symbol("("));
  Arguments given;
  bool is_first = true;
  while (!skip_symbol(")")) {
    if (!is_first) {
      PLM_TRY_STATUS(expect_symbol(","));
      if (skip_symbol(")")) break;
    }
    is_first = false;
    if (current().is_symbol("*") || current().is_symbol("**")) {
      return make_error(ErrorKind::unsupported, "line {}: arguments with * are not supported",
                        current().line);
    }
    if (current().kind == TokenKind::name && next().is_symbol("=")) {
      std::string name = take().text;
      take();
      PLM_TRY(ExpressionPtr value, expression());
      given.named.emplace_back(std::move(name), std::move(value));
    } else {
      if (!given.named.empty()) return unexpected("a named argument, for one came before");
      PLM_TRY(ExpressionPtr value, expression());
      given.positional.push_back(std::move(value));
    }
  }
  return given;
}

Result<ExpressionPtr> ExpressionParser::block_filters() {
  PLM_TRY(ExpressionPtr body, finish({.kind = ExpressionKind::name, .line = current().line}));
  return filters(std::move(body));
}

Result<ExpressionPtr> ExpressionParser::filters(ExpressionPtr subject) {
  do {
    Expression expression = {.kind = ExpressionKind::filter, .line = current().line};
    PLM_TRY(expression.text, expect_name());
    expression.operands.push_back(std::move(subject));
    if (current().is_symbol("(")) {
      PLM_TRY(Arguments given, arguments());
      for (ExpressionPtr& argument : given.positional) expression.operands.push_back(std::move(argument));
      expression.named = std::move(given.named);
    }
    PLM_TRY(subject, finish(std::move(expression)));
  } while (skip_symbol("|"));
  return subject;
}

// is defined, is not none, is divisibleby 3, is in(x).
Result<ExpressionPtr> ExpressionParser::test(ExpressionPtr subject) {
  const int line = take().line;
  const bool is_negated = skip_name("not");
  Expression expression = {.kind = ExpressionKind::test, .line = line};
  expression.operands.push_back(std::move(subject));
  PLM_TRY(expression.text, expect_name());
  const Token& token = current();
  const bool starts_argument = (token.kind == TokenKind::name && !token.is_name("else") &&
                                !token.is_name("or") && !token.is_name("and")) ||
                               token.kind == TokenKind::string || token.kind == TokenKind::number ||
                               token.is_symbol("[") || token.is_symbol("{");
  if (token.is_symbol("(")) {
    PLM_TRY(Arguments given, arguments());
    for (ExpressionPtr& argument : given.positional) expression.operands.push_back(std::move(argument));
    expression.named = std::move(given.named);
  } else if (token.is_name("is")) {
    return unexpected("no second test after the first");
  } else if (starts_argument) {
    PLM_TRY(ExpressionPtr argument, call_expression());
    expression.operands.push_back(std::move(argument));
  }
  PLM_TRY(ExpressionPtr result, finish(std::move(expression)));
  if (!is_negated) return result;
  return unary_of(ExpressionKind::logical_not, line, std::move(result));
}

}  // namespace plm::jinja
