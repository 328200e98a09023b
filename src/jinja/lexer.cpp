#include "jinja/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "jinja/text.h"

namespace plm::jinja {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80);
}
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }

// "\r\n" and "\r" become "\n"; the last newline goes.
std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}
  Result<std::vector<Token>> run();

 private:
  template <class... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    return make_error(ErrorKind::bad_data, "line {}: {}", line_,
                      fmt::format(format, std::forward<Args>(args)...));
  }
  bool at(std::string_view mark) const { return std::string_view(source_).substr(at_).starts_with(mark); }
  void advance(size_t n) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_ + n), '\n'));
    at_ += n;
  }
  void skip_blanks() {
    size_t n = 0;
    while (at_ + n < source_.size() && is_blank(source_[at_ + n])) ++n;
    advance(n);
  }

  void add_text(std::string_view text, char sign, bool is_output);
  Status comment();
  Result<bool> raw();
  Status tag(std::string_view end);
  void end_tag(char sign, bool is_block, size_t mark_bytes);
  Status token();
  Status number();
  Result<bool> base_number();
  Status string();
  Status escape(std::string& value);
  Status hex_escape(size_t digits, std::string& value);

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;  // the text that follows begins a line
  std::vector<Token> tokens_;
};

Result<std::vector<Token>> Lexer::run() {
  while (at_ < source_.size()) {
    size_t begin = at_;
    while (true) {
      begin = source_.find('{', begin);
      if (begin == std::string::npos || begin + 1 >= source_.size()) {
        begin = source_.size();
        break;
      }
      const char next = source_[begin + 1];
      if (next == '{' || next == '%' || next == '#') break;
      ++begin;
    }
    const std::string text = source_.substr(at_, begin - at_);
    if (begin == source_.size()) {
      if (!text.empty()) tokens_.push_back({.kind = TokenKind::text, .line = line_, .text = text});
      advance(begin - at_);
      break;
    }
    const char sign = begin + 2 < source_.size() ? source_[begin + 2] : ' ';
    const bool is_output = source_[begin + 1] == '{';
    add_text(text, sign, is_output);
    advance(begin - at_);
    at_line_start_ = false;
    if (at("{#")) {
      PLM_TRY_STATUS(comment());
      continue;
    }
    if (!is_output) {
      PLM_TRY(const bool was_raw, raw());
      if (was_raw) continue;
    }
    PLM_TRY_STATUS(tag(is_output ? "}}" : "%}"));
  }
  tokens_.push_back({.kind = TokenKind::end, .line = line_});
  return std::move(tokens_);
}

// Text before a tag: blanks go when the tag asks for it ("{%-"), and those between the beginning of a line
// and a block or comment, unless it says "+".
void Lexer::add_text(std::string_view text, char sign, bool is_output) {
  if (sign == '-') {
    text = strip(text, Side::right);
  } else if (sign != '+' && !is_output) {
    const size_t newline = text.rfind('\n');
    const size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
    const bool is_line = newline != std::string_view::npos || at_line_start_;
    if (is_line && strip(text.substr(line_begin), Side::both).empty()) text = text.substr(0, line_begin);
  }
  if (!text.empty()) tokens_.push_back({.kind = TokenKind::text, .line = line_, .text = std::string(text)});
}

// Behind a tag: "-" drops all blanks, a block drops one newline, unless it says "+".
void Lexer::end_tag(char sign, bool is_block, size_t mark_bytes) {
  advance(mark_bytes);
  if (sign == '-') {
    skip_blanks();
  } else if (is_block && sign != '+' && at("\n")) {
    advance(1);
  }
  at_line_start_ = at_ > 0 && source_[at_ - 1] == '\n';
}

Status Lexer::comment() {
  const size_t content = at_ + (at("{#-") || at("{#+") ? 3 : 2);
  const size_t end = source_.find("#}", content);
  if (end == std::string::npos) return error("found a comment without its end, expected '#}}'");
  const char sign = end > content ? source_[end - 1] : ' ';
  advance(end - at_);
  end_tag(sign, true, 2);
  return {};
}

// {% raw %} ... {% endraw %}, if that is what stands here.
Result<bool> Lexer::raw() {
  const auto skip = [&](size_t i) {
    while (i < source_.size() && is_blank(source_[i])) ++i;
    return i;
  };
  const auto word_at = [&](size_t i, std::string_view word) {
    return std::string_view(source_).substr(std::min(i, source_.size())).starts_with(word);
  };
  size_t i = at_ + 2;
  if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
  i = skip(i);
  if (!word_at(i, "raw")) return false;
  i = skip(i + 3);
  const bool minus = word_at(i, "-%}");
  if (!minus && !word_at(i, "%}")) return false;
  i += minus ? 3 : 2;
  advance(i - at_);
  if (minus) skip_blanks();
  at_line_start_ = source_[at_ - 1] == '\n';
  for (size_t end = source_.find("{%", at_); end != std::string::npos; end = source_.find("{%", end + 1)) {
    size_t j = end + 2;
    const char sign = j < source_.size() ? source_[j] : ' ';
    if (sign == '-' || sign == '+') ++j;
    j = skip(j);
    if (!word_at(j, "endraw")) continue;
    j = skip(j + 6);
    const char end_sign = j < source_.size() ? source_[j] : ' ';
    if (end_sign == '-' || end_sign == '+') ++j;
    if (!word_at(j, "%}")) continue;
    add_text(std::string_view(source_).substr(at_, end - at_), sign, false);
    advance(j - at_);
    end_tag(end_sign, true, 2);
    return true;
  }
  return error("found a raw block without its end, expected '{{% endraw %}}'");
}

Status Lexer::tag(std::string_view end) {
  const bool is_block = end == "%}";
  tokens_.push_back({.kind = is_block ? TokenKind::block_begin : TokenKind::output_begin,
                     .line = line_,
                     .text = is_block ? "{%" : "{{"});
  advance(2);
  if (at("-") || at("+")) {
    // "{{+" is a plus sign, "{%+" is not.
    if (at("-") || is_block) advance(1);
  }
  std::string open;  // brackets that want their closing: "}}" may be two of them
  while (true) {
    skip_blanks();
    if (at_ >= source_.size()) return error("found a tag without its end, expected '{}'", end);
    if (open.empty()) {
      const bool has_sign = at("-") || (is_block && at("+"));
      const char sign = has_sign ? source_[at_] : ' ';
      if (std::string_view(source_).substr(at_ + (has_sign ? 1 : 0)).starts_with(end)) {
        tokens_.push_back({.kind = is_block ? TokenKind::block_end : TokenKind::output_end,
                           .line = line_,
                           .text = std::string(end)});
        end_tag(sign, is_block, has_sign ? 3 : 2);
        return {};
      }
    }
    const char c = source_[at_];
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) return error("found '{}' without its opening", c);
      open.pop_back();
    }
    PLM_TRY_STATUS(token());
  }
}

Status Lexer::token() {
  const char c = source_[at_];
  if (c == '"' || c == '\'') return string();
  if (is_digit(c)) return number();
  if (is_name_start(c)) {
    size_t n = 1;
    while (at_ + n < source_.size() && is_name_part(source_[at_ + n])) ++n;
    tokens_.push_back({.kind = TokenKind::name, .line = line_, .text = source_.substr(at_, n)});
    advance(n);
    return {};
  }
  constexpr std::array<std::string_view, 24> kSymbols = {"//", "**", "==", "!=", ">=", "<=", "+", "-",
                                                         "/",  "*",  "%",  "~",  "[",  "]",  "(", ")",
                                                         "{",  "}",  ">",  "<",  "=",  ".",  ":", "|"};
  for (const std::string_view symbol : kSymbols) {
    if (!at(symbol)) continue;
    tokens_.push_back({.kind = TokenKind::symbol, .line = line_, .text = std::string(symbol)});
    advance(symbol.size());
    return {};
  }
  if (c == ',' || c == ';') {
    tokens_.push_back({.kind = TokenKind::symbol, .line = line_, .text = std::string(1, c)});
    advance(1);
    return {};
  }
  return error("found the character '{}', which no tag may hold", c);
}

// 0x1f, 0o17, 0b1.
Result<bool> Lexer::base_number() {
  if (source_[at_] != '0' || at_ + 2 >= source_.size()) return false;
  const char letter = static_cast<char>(source_[at_ + 1] | 0x20);
  const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
  if (base == 0) return false;
  int64_t value = 0;
  const char* first = source_.data() + at_ + 2;
  const auto end = std::from_chars(first, source_.data() + source_.size(), value, base);
  if (end.ec == std::errc::result_out_of_range) return error("found an integer that is too large");
  if (end.ec != std::errc() || *first == '-') return false;
  tokens_.push_back({.kind = TokenKind::number, .line = line_, .value = Value(value)});
  advance(static_cast<size_t>(end.ptr - source_.data()) - at_);
  return true;
}

// 12, 1_000, 1.5, 1e3, 1.5e-3. A dot after a dot is no decimal point ("x.0.1").
Status Lexer::number() {
  PLM_TRY(const bool has_base, base_number());
  if (has_base) return {};
  std::string digits;
  size_t i = at_;
  const auto take_digits = [&] {
    while (i < source_.size() && (is_digit(source_[i]) || (source_[i] == '_' && i + 1 < source_.size() &&
                                                           is_digit(source_[i + 1])))) {
      if (source_[i] != '_') digits += source_[i];
      ++i;
    }
  };
  const auto digit_at = [&](size_t place) { return place < source_.size() && is_digit(source_[place]); };
  take_digits();
  bool is_real = false;
  const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
  if (!after_dot && i < source_.size() && source_[i] == '.' && digit_at(i + 1)) {
    is_real = true;
    digits += '.';
    ++i;
    take_digits();
  }
  if (!after_dot && i < source_.size() && (source_[i] == 'e' || source_[i] == 'E')) {
    const size_t sign = i + 1 < source_.size() && (source_[i + 1] == '+' || source_[i + 1] == '-') ? 1 : 0;
    if (digit_at(i + 1 + sign)) {
      is_real = true;
      digits += 'e';
      if (sign == 1) digits += source_[i + 1];
      i += 1 + sign;
      take_digits();
    }
  }
  Token token = {.kind = TokenKind::number, .line = line_};
  const char* end = digits.data() + digits.size();
  if (is_real) {
    double value = 0;
    if (std::from_chars(digits.data(), end, value).ec != std::errc())
      return error("found a number out of range");
    token.value = Value(value);
  } else {
    int64_t value = 0;
    if (std::from_chars(digits.data(), end, value).ec != std::errc()) {
      return error("found an integer that is too large");
    }
    token.value = Value(value);
  }
  tokens_.push_back(std::move(token));
  advance(i - at_);
  return {};
}

Status Lexer::string() {
  const char quote = source_[at_];
  Token token = {.kind = TokenKind::string, .line = line_};
  std::string value;
  advance(1);
  while (true) {
    if (at_ >= source_.size()) return error("found a text without its closing {}", quote);
    const char c = source_[at_];
    if (c == quote) break;
    advance(1);
    if (c != '\\') {
      value += c;
      continue;
    }
    if (at_ >= source_.size()) return error("found a text without its closing {}", quote);
    PLM_TRY_STATUS(escape(value));
  }
  advance(1);
  token.value = Value(std::move(value));
  tokens_.push_back(std::move(token));
  return {};
}

// What follows a backslash, as Python reads it.
Status Lexer::escape(std::string& value) {
  const char c = source_[at_];
  advance(1);
  constexpr std::string_view kLetters = "abfnrtv\\'\"";
  constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"";
  if (const size_t i = kLetters.find(c); i != std::string_view::npos) {
    value += kValues[i];
    return {};
  }
  if (c == '\n') return {};
  if (c == 'x') return hex_escape(2, value);
  if (c == 'u') return hex_escape(4, value);
  if (c == 'U') return hex_escape(8, value);
  if (c == 'N') return error("found the escape \\N, which is not supported");
  if (c >= '0' && c <= '7') {
    uint32_t code = static_cast<uint32_t>(c - '0');
    for (int i = 0; i < 2 && at_ < source_.size() && source_[at_] >= '0' && source_[at_] <= '7'; ++i) {
      code = code * 8 + static_cast<uint32_t>(source_[at_] - '0');
      advance(1);
    }
    value += utf8_of(code);
    return {};
  }
  value += '\\';
  value += c;
  return {};
}

Status Lexer::hex_escape(size_t digits, std::string& value) {
  uint32_t code = 0;
  const char* first = source_.data() + at_;
  const char* last = first + std::min(digits, source_.size() - at_);
  const auto end = std::from_chars(first, last, code, 16);
  const std::string text = utf8_of(code);
  if (end.ptr != first + digits || text.empty()) {
    return error("found an escape that is no character, expected {} hexadecimal digits", digits);
  }
  advance(digits);
  value += text;
  return {};
}

}  // namespace

std::string Token::description() const {
  switch (kind) {
    case TokenKind::text:
      return "text";
    case TokenKind::name:
      return fmt::format("the name '{}'", text);
    case TokenKind::string:
      return "a string";
    case TokenKind::number:
      return "a number";
    case TokenKind::end:
      return "the end of the template";
    default:
      return fmt::format("'{}'", text);
  }
}

Result<std::vector<Token>> tokenize(std::string_view source) {
  return Lexer(normalize_newlines(source)).run();
}

}  // namespace plm::jinja
