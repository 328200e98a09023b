// The rules of JSON itself, added to a grammar as they are needed.
#pragma once

#include <map>
#include <string>

#include "grammar/expression.h"

namespace plm::grammar {

class JsonValues {
 public:
  explicit JsonValues(Grammar& grammar) : grammar_(grammar) {}

  Expression value() { return rule_of(number(Kind::value)); }
  Expression object() { return rule_of(number(Kind::object)); }
  Expression array() { return rule_of(number(Kind::array)); }
  Expression string() { return rule_of(number(Kind::string)); }
  Expression blank() { return rule_of(number(Kind::blank)); }  // what may stand between two signs
  Expression character() { return rule_of(number(Kind::character)); }

  // [item, item] of `least` to `most` items, the first of them as `heads` say.
  Expression array_of(std::vector<Expression> heads, Expression item, int64_t least, int64_t most);
  // { blank inner blank }
  Expression braces(Expression inner);
  // key: value
  Expression member(Expression key, Expression value);
  Expression comma();

 private:
  enum class Kind { blank, character, string, array, object, value };

  size_t number(Kind kind);
  Expression expression(Kind kind);

  Grammar& grammar_;
  std::map<Kind, size_t> numbers_;
};

}  // namespace plm::grammar
