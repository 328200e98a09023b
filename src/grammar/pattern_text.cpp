#include "grammar/pattern_text.h"

#include <algorithm>

#include "grammar/expression.h"

namespace plm::grammar {

bool PatternText::take(std::string_view expected) {
  if (!text_.substr(position_).starts_with(expected)) return false;
  position_ += expected.size();
  return true;
}

Result<uint32_t> PatternText::code_point() {
  const auto byte = [&](size_t ahead) { return static_cast<uint8_t>(peek(ahead)); };
  const uint8_t first = byte(0);
  if (first < 0x80) {
    if (at_end()) return unexpected("a character");
    skip(1);
    return first;
  }
  const size_t n_tail = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  uint32_t value = first & (0x3FU >> n_tail);
  bool is_valid = first >= 0xC2 && first <= 0xF4;
  for (size_t i = 1; i <= n_tail; ++i) {
    is_valid = is_valid && (byte(i) & 0xC0) == 0x80;
    value = (value << 6) | (byte(i) & 0x3FU);
  }
  constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (!is_valid || value < kLeast[n_tail] || value > kLastCodePoint || is_surrogate) {
    return error("found bytes that are no UTF-8");
  }
  skip(n_tail + 1);
  return value;
}

Result<uint32_t> PatternText::hex(int n_digits) {
  uint32_t value = 0;
  for (int i = 0; i < n_digits; ++i) {
    const char c = peek();
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return unexpected(fmt::format("{} hexadecimal digits", n_digits));
    value = value * 16 + static_cast<uint32_t>(digit);
    skip(1);
  }
  if (value > kLastCodePoint || (value >= 0xD800 && value <= 0xDFFF)) {
    return error(fmt::format("found the code {:X}, which is no character", value));
  }
  return value;
}

Error PatternText::error(std::string_view message) const {
  const auto line = 1 + std::ranges::count(text_.substr(0, position_), '\n');
  return make_error(ErrorKind::invalid_argument, "{}: line {}: {}", what_, line, message);
}

Error PatternText::unexpected(std::string_view expected) const {
  const char c = peek();
  const bool is_plain = c > ' ' && c < 0x7F;
  const std::string found = at_end()    ? "the end"
                            : is_plain  ? fmt::format("'{}'", c)
                            : c == '\n' ? "the end of the line"
                                        : fmt::format("byte {:#04x}", static_cast<unsigned char>(c));
  return error(fmt::format("found {}, expected {}", found, expected));
}

namespace {

// Digits; -1 where there are none, and for a number that is too large.
int64_t read_number(PatternText& text) {
  if (text.peek() < '0' || text.peek() > '9') return -1;
  int64_t value = 0;
  for (; text.peek() >= '0' && text.peek() <= '9'; text.skip(1)) {
    value = std::min<int64_t>(value * 10 + (text.peek() - '0'), kMaxRepetitions + 1);
  }
  return value <= kMaxRepetitions ? value : -1;
}

}  // namespace

Result<std::optional<Repetition>> read_repetition(PatternText& text) {
  constexpr int64_t kNoLimit = Expression::kNoLimit;
  if (text.take("*")) return std::optional(Repetition{0, kNoLimit});
  if (text.take("+")) return std::optional(Repetition{1, kNoLimit});
  if (text.take("?")) return std::optional(Repetition{0, 1});
  if (!text.take("{")) return std::optional<Repetition>();
  const std::string expected = fmt::format("{{m}}, {{m,}} or {{m,n}} of at most {}", kMaxRepetitions);
  const int64_t least = read_number(text);
  if (least < 0) return text.unexpected(expected);
  Repetition times{least, least};
  if (text.take(",}")) return std::optional(Repetition{least, kNoLimit});
  if (text.take(",")) times.most = read_number(text);
  if (times.most < least || !text.take("}")) return text.unexpected(expected);
  return std::optional(times);
}

void append_utf8(std::string& bytes, uint32_t code_point) {
  const auto tail = [&](int shift) { bytes += static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) {
    bytes += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    bytes += static_cast<char>(0xC0 | (code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    bytes += static_cast<char>(0xE0 | (code_point >> 12));
    tail(6);
    tail(0);
  } else {
    bytes += static_cast<char>(0xF0 | (code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace plm::grammar
