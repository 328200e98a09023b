// What a text may look like: expressions over characters and rules that name them. GBNF, JSON schemas and
// regular expressions are read into this, and a Network is built of it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace plm::grammar {

inline constexpr uint32_t kLastCodePoint = 0x10FFFF;

struct CodePointRange {
  uint32_t first, last;  // both in it
  bool operator==(const CodePointRange&) const = default;
};

// Ascending, apart from each other: see make_set.
using CharacterSet = std::vector<CodePointRange>;

CharacterSet make_set(std::vector<CodePointRange> ranges);
CharacterSet complement(const CharacterSet& set);
CharacterSet intersection(const CharacterSet& a, const CharacterSet& b);
bool contains(const CharacterSet& set, uint32_t code_point);

struct Expression {
  enum class Kind {
    text,        // these bytes; "" matches nothing but the empty text
    characters,  // one character of a set
    rule,        // what a rule of the grammar matches
    sequence,    // the parts, one after the other
    choice,      // one of the parts; without parts: nothing at all
    repeat,      // parts[0], `least` to `most` times
  };
  static constexpr int64_t kNoLimit = -1;

  Kind kind = Kind::text;
  std::string text = {};
  CharacterSet characters = {};
  size_t rule = 0;
  std::vector<Expression> parts = {};
  int64_t least = 0, most = kNoLimit;
};

Expression text_of(std::string bytes);
Expression one_of(CharacterSet set);
Expression rule_of(size_t rule);
Expression sequence_of(std::vector<Expression> parts);
Expression choice_of(std::vector<Expression> parts);
Expression repeat_of(Expression part, int64_t least, int64_t most = Expression::kNoLimit);
Expression optional_of(Expression part);

struct Rule {
  std::string name;  // for messages
  Expression expression;
};

struct Grammar {
  std::vector<Rule> rules;
  size_t root = 0;

  // The new rule's number.
  size_t add(std::string name, Expression expression = {});
};

// How deep the readers of grammars let brackets nest: building and destroying expressions recurses.
inline constexpr int kMaxExpressionDepth = 100;

}  // namespace plm::grammar
