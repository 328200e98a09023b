// Cuts a template into text and the tokens of its tags, with the rules for blanks that transformers sets:
// trim_blocks and lstrip_blocks on, one newline at the very end dropped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "jinja/value.h"

namespace plm::jinja {

enum class TokenKind {
  text,          // outside of tags
  block_begin,   // {%
  block_end,     // %}
  output_begin,  // {{
  output_end,    // }}
  name,
  string,  // value
  number,  // value
  symbol,  // text: "+", "//", "(", ...
  end,
};

struct Token {
  TokenKind kind;
  int line;
  std::string text = {};
  Value value = {};

  bool is_symbol(std::string_view symbol) const { return kind == TokenKind::symbol && text == symbol; }
  bool is_name(std::string_view name) const { return kind == TokenKind::name && text == name; }
  // For messages: "'%}'", "the name 'for'", "the end of the template".
  std::string description() const;
};

// Ends with a token `end`. Fails with bad_data: "line 3: ...".
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace plm::jinja
