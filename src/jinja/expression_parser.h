// The part of the parser that reads expressions; parser.cpp builds statements on it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/ast.h"
#include "jinja/lexer.h"

namespace plm::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // a if b else c, and all that binds more tightly.
  Result<ExpressionPtr> expression(bool with_conditional = true);
  // Expressions with commas between make a tuple. Ends before the name `end_name`.
  Result<ExpressionPtr> expression_or_tuple(bool with_conditional, std::string_view end_name = {});
  // A literal, a name or something in brackets, with what follows directly: .a [b] (c).
  Result<ExpressionPtr> call_expression();
  // name(args) | name ...: the filters of a block, over the variable "". The first name stands here.
  Result<ExpressionPtr> block_filters();

  const Token& current() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() { return current().kind == TokenKind::end ? current() : tokens_[at_++]; }
  bool skip_name(std::string_view name);
  bool skip_symbol(std::string_view symbol);
  Status expect_symbol(std::string_view symbol);
  Result<std::string> expect_name();

  // Where the parser stands, and whether a name was seen since it stood at `from`.
  size_t position() const { return at_; }
  bool saw_name(size_t from, std::string_view name) const;

  // "line 3: found X, expected Y" at the current token.
  Error unexpected(std::string_view expected) const;

  // Blocks and brackets in each other are counted while this lives.
  class Nesting {
   public:
    explicit Nesting(int& count) : count_(count) { ++count_; }
    ~Nesting() { --count_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    int& count_;
  };
  Nesting nest() { return Nesting(nesting_); }
  Status check_nesting() const;

 private:
  struct Arguments {
    std::vector<ExpressionPtr> positional;
    std::vector<std::pair<std::string, ExpressionPtr>> named;
  };

  Result<ExpressionPtr> finish(Expression expression) const;
  Result<ExpressionPtr> binary(int line, Operator op, ExpressionPtr left, ExpressionPtr right) const;
  Result<ExpressionPtr> unary_of(ExpressionKind kind, int line, ExpressionPtr operand) const;
  Result<ExpressionPtr> conditional();
  Result<ExpressionPtr> logical_or();
  Result<ExpressionPtr> logical_and();
  Result<ExpressionPtr> logical_not();
  Result<ExpressionPtr> comparison();
  Result<ExpressionPtr> sum();
  Result<ExpressionPtr> concatenation();
  Result<ExpressionPtr> product();
  Result<ExpressionPtr> power();
  Result<ExpressionPtr> unary(bool with_filters);
  Result<ExpressionPtr> primary();
  Result<ExpressionPtr> list();
  Result<ExpressionPtr> dict();
  Result<ExpressionPtr> postfix(ExpressionPtr subject);
  Result<ExpressionPtr> filters_and_tests(ExpressionPtr subject);
  Result<ExpressionPtr> attribute(ExpressionPtr subject);
  Result<ExpressionPtr> item(ExpressionPtr subject);
  Result<ExpressionPtr> call(ExpressionPtr subject);
  Result<ExpressionPtr> filters(ExpressionPtr subject);
  Result<ExpressionPtr> test(ExpressionPtr subject);
  Result<Arguments> arguments();

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace plm::jinja
