#include "grammar/gbnf.h"

#include <algorithm>
#include <unordered_map>

#include "grammar/pattern_text.h"

namespace plm::grammar {

namespace {

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class Parser {
 public:
  explicit Parser(std::string_view source) : text_("grammar", source) {}

  Result<Grammar> parse() {
    skip_blanks(/*lines_too=*/true);
    while (!text_.at_end()) PLM_TRY_STATUS(rule());
    const auto root = numbers_.find("root");
    if (root == numbers_.end() || !is_defined_[root->second]) {
      return make_error(ErrorKind::invalid_argument, "grammar: found no rule named root");
    }
    for (size_t i = 0; i < grammar_.rules.size(); ++i) {
      if (is_defined_[i]) continue;
      return make_error(ErrorKind::invalid_argument, "grammar: rule {} is used but not defined",
                        grammar_.rules[i].name);
    }
    grammar_.root = root->second;
    return std::move(grammar_);
  }

 private:
  void skip_blanks(bool lines_too) {
    while (!text_.at_end()) {
      const char c = text_.peek();
      if (c == '#') {
        while (!text_.at_end() && text_.peek() != '\n') text_.skip(1);
      } else if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && lines_too)) {
        text_.skip(1);
      } else {
        return;
      }
    }
  }

  Result<size_t> name() {
    std::string found;
    while (is_name(text_.peek())) {
      found += text_.peek();
      text_.skip(1);
    }
    if (found.empty()) return text_.unexpected("the name of a rule");
    const auto [known, is_new] = numbers_.try_emplace(found, grammar_.rules.size());
    if (is_new) {
      grammar_.add(found);
      is_defined_.push_back(false);
    }
    return known->second;
  }

  Status rule() {
    PLM_TRY(const size_t number, name());
    skip_blanks(false);
    if (!text_.take("::=")) return text_.unexpected("::=");
    if (is_defined_[number]) {
      return text_.error(fmt::format("rule {} is defined twice", grammar_.rules[number].name));
    }
    is_defined_[number] = true;
    skip_blanks(true);
    PLM_TRY(grammar_.rules[number].expression, choice(/*is_nested=*/false, 0));
    if (!text_.at_end() && text_.peek() != '\n') return text_.unexpected("the end of the rule");
    skip_blanks(true);
    return {};
  }

  Result<Expression> choice(bool is_nested, int depth) {
    if (depth > kMaxExpressionDepth) {
      return text_.error(fmt::format("groups are nested deeper than {}", kMaxExpressionDepth));
    }
    std::vector<Expression> parts;
    do {
      skip_blanks(true);
      PLM_TRY(Expression part, sequence(is_nested, depth));
      parts.push_back(std::move(part));
    } while (text_.take("|"));
    return choice_of(std::move(parts));
  }

  Result<Expression> sequence(bool is_nested, int depth) {
    std::vector<Expression> parts;
    while (true) {
      skip_blanks(is_nested);
      const char c = text_.peek();
      if (text_.at_end() || c == '|' || c == ')' || c == '\n') break;
      PLM_TRY(Expression part, item(depth));
      PLM_TRY(part, repeated(std::move(part)));
      parts.push_back(std::move(part));
    }
    return sequence_of(std::move(parts));
  }

  Result<Expression> item(int depth) {
    const char c = text_.peek();
    if (c == '"') return literal();
    if (c == '[') return characters();
    if (text_.take(".")) return one_of(complement({}));
    if (text_.take("(")) {
      PLM_TRY(Expression inner, choice(/*is_nested=*/true, depth + 1));
      if (!text_.take(")")) return text_.unexpected("the ) of a group");
      return inner;
    }
    if (c == '<' || c == '!') return text_.error("tokens in grammars (<...>) are not supported");
    PLM_TRY(const size_t number, name());
    return rule_of(number);
  }

  Result<Expression> repeated(Expression part) {
    constexpr int kMaxSigns = 4;  // each is a level of the expression
    int n_signs = 0;
    while (true) {
      skip_blanks(false);
      PLM_TRY(const auto times, read_repetition(text_));
      if (!times) return part;
      if (++n_signs > kMaxSigns) return text_.error("too many repetitions of one item");
      part = repeat_of(std::move(part), times->least, times->most);
    }
  }

  Result<Expression> literal() {
    text_.skip(1);
    std::string bytes;
    while (!text_.take("\"")) {
      if (text_.at_end() || text_.peek() == '\n') return text_.unexpected("the closing \" of a text");
      PLM_TRY(const uint32_t code_point, character());
      append_utf8(bytes, code_point);
    }
    return text_of(std::move(bytes));
  }

  Result<Expression> characters() {
    text_.skip(1);
    const bool is_negated = text_.take("^");
    std::vector<CodePointRange> ranges;
    while (!text_.take("]")) {
      if (text_.at_end() || text_.peek() == '\n') return text_.unexpected("the closing ] of characters");
      PLM_TRY(const uint32_t first, character());
      uint32_t last = first;
      if (text_.peek() == '-' && text_.peek(1) != ']') {
        text_.skip(1);
        PLM_TRY(last, character());
        if (last < first) return text_.error("a range of characters runs backwards");
      }
      ranges.push_back({first, last});
    }
    CharacterSet set = make_set(std::move(ranges));
    return one_of(is_negated ? complement(set) : std::move(set));
  }

  Result<uint32_t> character() {
    if (!text_.take("\\")) return text_.code_point();
    const char c = text_.peek();
    text_.skip(1);
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return text_.hex(2);
      case 'u':
        return text_.hex(4);
      case 'U':
        return text_.hex(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<uint32_t>(c);
      default:
        return text_.error(
            "an escape that is not known; there are \\n \\r \\t \\xHH \\uHHHH \\UHHHHHHHH "
            "and those of \\ \" [ ] - ^");
    }
  }

  PatternText text_;
  Grammar grammar_;
  std::unordered_map<std::string, size_t> numbers_;
  std::vector<bool> is_defined_;
};

}  // namespace

Result<Grammar> parse_gbnf(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return make_error(ErrorKind::invalid_argument, "grammar: found {} bytes, expected at most {}",
                      source.size(), kMaxSourceBytes);
  }
  return Parser(source).parse();
}

}  // namespace plm::grammar
