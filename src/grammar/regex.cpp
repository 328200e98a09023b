#include "grammar/regex.h"

#include "grammar/json_text.h"
#include "grammar/pattern_text.h"

namespace plm::grammar {

namespace {

CharacterSet digits() { return {{'0', '9'}}; }
CharacterSet word_characters() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
CharacterSet blanks() {
  return make_set({{'\t', '\r'},
                   {' ', ' '},
                   {0x85, 0x85},
                   {0xA0, 0xA0},
                   {0x1680, 0x1680},
                   {0x1C, 0x1F},
                   {0x2000, 0x200A},
                   {0x2028, 0x2029},
                   {0x202F, 0x202F},
                   {0x205F, 0x205F},
                   {0x3000, 0x3000},
                   {0xFEFF, 0xFEFF}});
}
// Blanks for every dialect.
CharacterSet plain_blanks() { return {{'\t', '\r'}, {' ', ' '}}; }
CharacterSet any_but_line_ends() {
  return complement(make_set({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}));
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

class Parser {
 public:
  Parser(std::string_view pattern, RegexPlace place) : text_("pattern", pattern), place_(place) {}

  Result<Expression> parse() {
    std::vector<Expression> choices;
    do {
      const bool begins = text_.take("^");
      PLM_TRY(Expression part, sequence(0));
      const bool ends = text_.take("$");
      std::vector<Expression> parts;
      const bool searches = place_ == RegexPlace::json_string;
      if (searches && !begins) parts.push_back(repeat_of(any_json_character(), 0));
      parts.push_back(std::move(part));
      if (searches && !ends) parts.push_back(repeat_of(any_json_character(), 0));
      choices.push_back(sequence_of(std::move(parts)));
    } while (text_.take("|"));
    if (!text_.at_end()) return text_.unexpected("the end of the pattern");
    return choice_of(std::move(choices));
  }

 private:
  Expression character(const CharacterSet& set) const {
    return place_ == RegexPlace::json_string ? json_character(set) : one_of(set);
  }

  Result<Expression> sequence(int depth) {
    std::vector<Expression> parts;
    while (!text_.at_end() && text_.peek() != '|' && text_.peek() != ')' && text_.peek() != '$') {
      PLM_TRY(Expression part, item(depth));
      PLM_TRY(const auto times, read_repetition(text_));
      if (times) {
        text_.take("?");  // as few as possible: the same texts
        part = repeat_of(std::move(part), times->least, times->most);
      }
      parts.push_back(std::move(part));
    }
    return sequence_of(std::move(parts));
  }

  Result<Expression> group(int depth) {
    if (depth >= kMaxExpressionDepth) {
      return text_.error(fmt::format("groups are nested deeper than {}", kMaxExpressionDepth));
    }
    const bool is_named =
        text_.take("?P<") || (text_.peek(2) != '=' && text_.peek(2) != '!' && text_.take("?<"));
    if (is_named) {
      while (is_letter_or_digit(text_.peek()) || text_.peek() == '_') text_.skip(1);
      if (!text_.take(">")) return text_.unexpected("the > of a group's name");
    } else if (!text_.take("?:") && text_.peek() == '?') {
      return text_.error("groups that look around or set flags, (?...), are not supported");
    }
    std::vector<Expression> choices;
    do {
      PLM_TRY(Expression part, sequence(depth + 1));
      choices.push_back(std::move(part));
    } while (text_.take("|"));
    if (!text_.take(")")) return text_.unexpected("the ) of a group; ^ and $ stand at the ends alone");
    return choice_of(std::move(choices));
  }

  Result<Expression> item(int depth) {
    if (text_.take("(")) return group(depth);
    if (text_.take("[")) return bracket();
    if (text_.take(".")) return character(any_but_line_ends());
    if (text_.take("\\")) {
      PLM_TRY(const CharacterSet set, escape());
      return character(set);
    }
    const char c = text_.peek();
    if (std::string_view("*+?{").find(c) != std::string_view::npos)
      return text_.unexpected("something to repeat");
    if (c == '^') return text_.error("^ is supported at the beginning of the pattern alone");
    PLM_TRY(const uint32_t code_point, text_.code_point());
    return character({{code_point, code_point}});
  }

  Result<Expression> bracket() {
    const bool is_negated = text_.take("^");
    std::vector<CodePointRange> ranges;
    while (!text_.take("]")) {
      if (text_.at_end()) return text_.unexpected("the closing ] of characters");
      PLM_TRY(const CharacterSet first, bracket_part());
      const bool is_one = first.size() == 1 && first[0].first == first[0].last;
      if (text_.peek() == '-' && text_.peek(1) != ']' && is_one) {
        text_.skip(1);
        PLM_TRY(const CharacterSet last, bracket_part());
        if (last.size() != 1 || last[0].first != last[0].last || last[0].first < first[0].first) {
          return text_.error("a range of characters that is none");
        }
        ranges.push_back({first[0].first, last[0].first});
      } else {
        ranges.insert(ranges.end(), first.begin(), first.end());
      }
    }
    const CharacterSet set = make_set(std::move(ranges));
    return character(is_negated ? complement(set) : set);
  }

  Result<CharacterSet> bracket_part() {
    if (text_.take("\\")) return escape();
    PLM_TRY(const uint32_t code_point, text_.code_point());
    return CharacterSet{{code_point, code_point}};
  }

  // After the backslash.
  Result<CharacterSet> escape() {
    const char c = text_.peek();
    const auto one = [](uint32_t code_point) { return CharacterSet{{code_point, code_point}}; };
    if (text_.at_end()) return text_.unexpected("a character after \\");
    if (!is_letter_or_digit(c)) {
      PLM_TRY(const uint32_t code_point, text_.code_point());
      return one(code_point);
    }
    text_.skip(1);
    switch (c) {
      case 'd':
        return digits();
      case 'D':
        return complement(digits());
      case 'w':
        return word_characters();
      case 'W':
        return complement(word_characters());
      case 's':
        return plain_blanks();
      case 'S':
        return complement(blanks());
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case '0':
        return one(0);
      case 'x':
      case 'u': {
        PLM_TRY(const uint32_t code_point, text_.hex(c == 'x' ? 2 : 4));
        return one(code_point);
      }
      default:
        return text_.error(fmt::format("\\{} is not supported", c));
    }
  }

  PatternText text_;
  RegexPlace place_;
};

}  // namespace

Result<Expression> parse_regex(std::string_view pattern, RegexPlace place) {
  if (pattern.size() > kMaxPatternBytes) {
    return make_error(ErrorKind::invalid_argument, "pattern: found {} bytes, expected at most {}",
                      pattern.size(), kMaxPatternBytes);
  }
  return Parser(pattern, place).parse();
}

Result<Grammar> regex_grammar(std::string_view pattern) {
  Grammar grammar;
  PLM_TRY(auto expression, parse_regex(pattern, RegexPlace::whole_text));
  grammar.add("root", std::move(expression));
  return grammar;
}

}  // namespace plm::grammar
