// What pre-tokenizers need to know of the character at a place in a text.
#pragma once

#include <cstdint>

#include "tokenizer/unicode_table.h"
#include "tokenizer/utf8.h"

namespace plm::tokenizer {

struct ClassifiedChar {
  std::uint32_t code_point;
  std::uint8_t length;
  std::uint8_t flags;  // UnicodeFlag

  bool is_letter() const { return (flags & kLetter) != 0; }
  bool is_number() const { return (flags & kNumber) != 0; }
  bool is_space() const { return (flags & kWhitespace) != 0; }
  bool is_symbol() const { return (flags & (kLetter | kNumber | kWhitespace)) == 0; }
  bool is_newline() const { return code_point == '\r' || code_point == '\n'; }
};

inline ClassifiedChar classify(const char* p, const char* end) {
  static const std::uint8_t* const flags = unicode_flags();
  const Utf8Char c = decode_utf8(p, end);
  const std::uint8_t char_flags = c.code_point < kCodePointCount ? flags[c.code_point] : std::uint8_t{0};
  return {c.code_point, static_cast<std::uint8_t>(c.length), char_flags};
}

// The end of the longest run of characters at `p` for which `accepts` is true.
template <class Accepts>
const char* skip_run(const char* p, const char* end, Accepts accepts) {
  while (p < end) {
    const ClassifiedChar c = classify(p, end);
    if (!accepts(c)) break;
    p += c.length;
  }
  return p;
}

// The first piece of a pattern that is one run of a class: the run, or what lies before the next one.
template <class Accepts>
const char* next_run(const char* begin, const char* end, Accepts accepts) {
  const char* run_end = skip_run(begin, end, accepts);
  if (run_end != begin) return run_end;
  return skip_run(begin, end, [&accepts](const ClassifiedChar& c) { return !accepts(c); });
}

}  // namespace plm::tokenizer
