#include "jinja/parser.h"

#include <algorithm>
#include <utility>

#include "jinja/expression_parser.h"

namespace plm::jinja {
namespace {

using StatementPtr = std::unique_ptr<const Statement>;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : in_(std::move(tokens)) {}
  Result<Block> run();

 private:
  // Up to a tag of one of these names, which is left behind "{%"; "" for the end of the template.
  Result<Block> block_until(std::initializer_list<std::string_view> ends);
  Result<StatementPtr> tag();
  Result<StatementPtr> branch(Statement statement);
  Result<StatementPtr> loop(Statement statement);
  Result<StatementPtr> set(Statement statement);
  Result<StatementPtr> macro(Statement statement);
  Result<StatementPtr> call(Statement statement);
  Result<StatementPtr> filter(Statement statement);
  Result<StatementPtr> with(Statement statement);
  Result<Target> target();
  Result<Target> single_target();
  Result<std::vector<Parameter>> parameters();
  Status macro_body(Statement& statement, std::string_view end);
  Status end_of_tag();
  // The body of a tag and its end, {% endNAME %}.
  Result<Block> body(std::string_view end);

  static StatementPtr make(Statement statement) {
    return std::make_unique<const Statement>(std::move(statement));
  }

  ExpressionParser in_;
  int loops_ = 0;  // open ones, for break and continue
};

Result<Block> Parser::run() { return block_until({""}); }

Result<Block> Parser::block_until(std::initializer_list<std::string_view> ends) {
  const auto nesting = in_.nest();
  PLM_TRY_STATUS(in_.check_nesting());
  Block block;
  while (true) {
    const Token& token = in_.current();
    if (token.kind == TokenKind::end) {
      if (ends.begin()->empty()) return block;
      return in_.unexpected(fmt::format("{{% {} %}}", *std::prev(ends.end())));
    }
    if (token.kind == TokenKind::text) {
      const Token text = in_.take();
      block.push_back(make({.kind = StatementKind::text, .line = text.line, .text = text.text}));
    } else if (token.kind == TokenKind::output_begin) {
      Statement output = {.kind = StatementKind::output, .line = in_.take().line};
      PLM_TRY(output.expression, in_.expression_or_tuple(true));
      if (in_.current().kind != TokenKind::output_end) return in_.unexpected("'}}'");
      in_.take();
      block.push_back(make(std::move(output)));
    } else {
      in_.take();
      if (in_.current().kind != TokenKind::name) return in_.unexpected("the name of a tag");
      const auto is_end = [&](std::string_view end) { return in_.current().is_name(end); };
      if (std::any_of(ends.begin(), ends.end(), is_end)) return block;
      PLM_TRY(StatementPtr statement, tag());
      block.push_back(std::move(statement));
    }
  }
}

Status Parser::end_of_tag() {
  if (in_.current().kind != TokenKind::block_end) return in_.unexpected("'%}'");
  in_.take();
  return {};
}

Result<Block> Parser::body(std::string_view end) {
  PLM_TRY_STATUS(end_of_tag());
  PLM_TRY(Block block, block_until({end}));
  in_.take();
  PLM_TRY_STATUS(end_of_tag());
  return block;
}

Result<StatementPtr> Parser::tag() {
  const Token name = in_.take();
  Statement statement = {.kind = StatementKind::scope, .line = name.line};
  if (name.text == "if") return branch(std::move(statement));
  if (name.text == "for") return loop(std::move(statement));
  if (name.text == "set") return set(std::move(statement));
  if (name.text == "macro") return macro(std::move(statement));
  if (name.text == "call") return call(std::move(statement));
  if (name.text == "filter") return filter(std::move(statement));
  if (name.text == "with") return with(std::move(statement));
  if (name.text == "generation") {
    const int loops = std::exchange(loops_, 0);
    PLM_TRY(statement.body, body("endgeneration"));
    loops_ = loops;
    return make(std::move(statement));
  }
  if (name.text == "break" || name.text == "continue") {
    if (loops_ == 0) {
      return make_error(ErrorKind::bad_data, "line {}: found '{}', expected it inside a loop", name.line,
                        name.text);
    }
    statement.kind = name.text == "break" ? StatementKind::break_loop : StatementKind::continue_loop;
    PLM_TRY_STATUS(end_of_tag());
    return make(std::move(statement));
  }
  if (name.text.starts_with("end") || name.text == "else" || name.text == "elif") {
    return make_error(ErrorKind::bad_data, "line {}: found {{% {} %}}, which ends nothing here", name.line,
                      name.text);
  }
  return make_error(ErrorKind::unsupported, "line {}: the tag {{% {} %}} is not supported", name.line,
                    name.text);
}

Result<StatementPtr> Parser::branch(Statement statement) {
  statement.kind = StatementKind::branch;
  while (true) {
    Branch branch;
    PLM_TRY(branch.condition, in_.expression_or_tuple(false));
    PLM_TRY_STATUS(end_of_tag());
    PLM_TRY(branch.body, block_until({"elif", "else", "endif"}));
    statement.branches.push_back(std::move(branch));
    const std::string end = in_.take().text;
    if (end == "elif") continue;
    if (end == "else") {
      PLM_TRY(Block block, body("endif"));
      statement.branches.push_back({.condition = nullptr, .body = std::move(block)});
    } else {
      PLM_TRY_STATUS(end_of_tag());
    }
    return make(std::move(statement));
  }
}

Result<StatementPtr> Parser::loop(Statement statement) {
  statement.kind = StatementKind::loop;
  PLM_TRY(statement.target, target());
  if (!in_.skip_name("in")) return in_.unexpected("'in'");
  PLM_TRY(statement.expression, in_.expression_or_tuple(false, "recursive"));
  if (in_.skip_name("if")) {
    PLM_TRY(statement.condition, in_.expression());
  }
  if (in_.current().is_name("recursive")) {
    return make_error(ErrorKind::unsupported, "line {}: recursive loops are not supported", statement.line);
  }
  PLM_TRY_STATUS(end_of_tag());
  ++loops_;
  PLM_TRY(statement.body, block_until({"else", "endfor"}));
  --loops_;
  if (in_.take().text == "else") {
    PLM_TRY(statement.otherwise, body("endfor"));
  } else {
    PLM_TRY_STATUS(end_of_tag());
  }
  return make(std::move(statement));
}

Result<StatementPtr> Parser::set(Statement statement) {
  statement.kind = StatementKind::assign;
  PLM_TRY(statement.target, target());
  if (in_.skip_symbol("=")) {
    PLM_TRY(statement.expression, in_.expression_or_tuple(true));
    PLM_TRY_STATUS(end_of_tag());
    return make(std::move(statement));
  }
  statement.kind = StatementKind::assign_block;
  if (in_.skip_symbol("|")) {
    PLM_TRY(statement.filter, in_.block_filters());
  }
  const int loops = std::exchange(loops_, 0);
  PLM_TRY(statement.body, body("endset"));
  loops_ = loops;
  return make(std::move(statement));
}

Result<std::vector<Parameter>> Parser::parameters() {
  std::vector<Parameter> parameters;
  PLM_TRY_STATUS(in_.expect_symbol("("));
  while (!in_.skip_symbol(")")) {
    if (!parameters.empty()) {
      PLM_TRY_STATUS(in_.expect_symbol(","));
      if (in_.skip_symbol(")")) break;
    }
    Parameter parameter;
    PLM_TRY(parameter.name, in_.expect_name());
    if (in_.skip_symbol("=")) {
      PLM_TRY(parameter.fallback, in_.expression());
    } else if (!parameters.empty() && parameters.back().fallback) {
      return in_.unexpected("'=', for the parameter before has a default");
    }
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

Status Parser::macro_body(Statement& statement, std::string_view end) {
  const int loops = std::exchange(loops_, 0);
  const size_t start = in_.position();
  PLM_TRY(statement.body, body(end));
  loops_ = loops;
  statement.takes_varargs = in_.saw_name(start, "varargs");
  statement.takes_kwargs = in_.saw_name(start, "kwargs");
  statement.takes_caller = in_.saw_name(start, "caller");
  return {};
}

Result<StatementPtr> Parser::macro(Statement statement) {
  statement.kind = StatementKind::macro;
  PLM_TRY(statement.text, in_.expect_name());
  PLM_TRY(statement.parameters, parameters());
  PLM_TRY_STATUS(macro_body(statement, "endmacro"));
  return make(std::move(statement));
}

Result<StatementPtr> Parser::call(Statement statement) {
  statement.kind = StatementKind::call;
  statement.text = "caller";
  if (in_.current().is_symbol("(")) {
    PLM_TRY(statement.parameters, parameters());
  }
  PLM_TRY(statement.expression, in_.call_expression());
  if (statement.expression->kind != ExpressionKind::call) return in_.unexpected("a call of a macro");
  PLM_TRY_STATUS(macro_body(statement, "endcall"));
  return make(std::move(statement));
}

Result<StatementPtr> Parser::filter(Statement statement) {
  statement.kind = StatementKind::filter;
  PLM_TRY(statement.filter, in_.block_filters());
  const int loops = std::exchange(loops_, 0);
  PLM_TRY(statement.body, body("endfilter"));
  loops_ = loops;
  return make(std::move(statement));
}

Result<StatementPtr> Parser::with(Statement statement) {
  statement.kind = StatementKind::with;
  while (in_.current().kind != TokenKind::block_end) {
    if (!statement.assignments.empty()) {
      PLM_TRY_STATUS(in_.expect_symbol(","));
    }
    PLM_TRY(Target to, single_target());
    PLM_TRY_STATUS(in_.expect_symbol("="));
    PLM_TRY(ExpressionPtr value, in_.expression());
    statement.assignments.emplace_back(std::move(to), std::move(value));
  }
  PLM_TRY(statement.body, body("endwith"));
  return make(std::move(statement));
}

// a, or a.b, or (a, b).
Result<Target> Parser::single_target() {
  if (in_.skip_symbol("(")) {
    const auto nesting = in_.nest();
    PLM_TRY_STATUS(in_.check_nesting());
    PLM_TRY(Target inner, target());
    PLM_TRY_STATUS(in_.expect_symbol(")"));
    return inner;
  }
  Target single;
  PLM_TRY(single.name, in_.expect_name());
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (single.name == constant) {
      return make_error(ErrorKind::bad_data, "line {}: cannot assign to {}", in_.current().line, constant);
    }
  }
  if (in_.skip_symbol(".")) {
    PLM_TRY(single.field, in_.expect_name());
  }
  return single;
}

Result<Target> Parser::target() {
  PLM_TRY(Target first, single_target());
  if (!in_.current().is_symbol(",")) return first;
  Target tuple;
  tuple.parts.push_back(std::move(first));
  while (in_.skip_symbol(",")) {
    const Token& token = in_.current();
    if (token.is_name("in") || token.is_symbol("=") || token.is_symbol(")")) break;
    PLM_TRY(Target part, single_target());
    tuple.parts.push_back(std::move(part));
  }
  return tuple;
}

}  // namespace

Result<Block> parse(std::string_view source) {
  PLM_TRY(std::vector<Token> tokens, tokenize(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace plm::jinja
