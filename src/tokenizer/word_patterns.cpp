#include "tokenizer/word_patterns.h"

#include <cstddef>

#include "tokenizer/character_class.h"

namespace plm::tokenizer {
namespace {

bool is_letter(const ClassifiedChar& c) { return c.is_letter(); }
bool is_number(const ClassifiedChar& c) { return c.is_number(); }
bool is_symbol(const ClassifiedChar& c) { return c.is_symbol(); }
bool is_newline(const ClassifiedChar& c) { return c.is_newline(); }

enum class LetterCase { exact, any };

// The length of 's 't 'm 'd 're 've 'll at `p`, which is an apostrophe; 0 when there is none.
std::size_t contraction_length(const char* p, const char* end, LetterCase letter_case) {
  const auto lower = [letter_case](char c) {
    return letter_case == LetterCase::any && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  const auto left = end - p;
  if (left < 2) return 0;
  const char first = lower(p[1]);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (left < 3) return 0;
  const char second = lower(p[2]);
  if (((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l')) return 3;
  // The long s (U+017F) folds to s, and the regular expressions of the original tokenizers see it so.
  if (letter_case == LetterCase::any && p[1] == '\xC5' && p[2] == '\xBF') return 3;
  return 0;
}

// \s+(?!\S)|\s+ at a whitespace character: the run, without its last character when a word follows.
const char* whitespace_word(const char* begin, const char* end) {
  const char* last = begin;
  const char* p = begin;
  while (p < end) {
    const ClassifiedChar c = classify(p, end);
    if (!c.is_space()) break;
    last = p;
    p += c.length;
  }
  return p == end || last == begin ? p : last;
}

// \s*[\r\n]+ at a whitespace character: up to the last line end of the run; `begin` when it has none.
const char* line_end_word(const char* begin, const char* end) {
  const char* after_newline = begin;
  for (const char* p = begin; p < end;) {
    const ClassifiedChar c = classify(p, end);
    if (!c.is_space()) break;
    p += c.length;
    if (c.is_newline()) after_newline = p;
  }
  return after_newline;
}

// Qwen2 and Llama 3 differ in how many digits make a word.
template <int kMaxDigits>
const char* next_modern_word(const char* begin, const char* end) {
  const ClassifiedChar first = classify(begin, end);
  const char* const second_begin = begin + first.length;
  if (first.is_letter()) return skip_run(second_begin, end, is_letter);
  if (first.is_number()) {
    const char* p = second_begin;
    for (int digits = 1; digits < kMaxDigits && p < end; ++digits) {
      const ClassifiedChar c = classify(p, end);
      if (!c.is_number()) break;
      p += c.length;
    }
    return p;
  }
  if (first.code_point == '\'') {
    if (const std::size_t length = contraction_length(begin, end, LetterCase::any)) return begin + length;
  }
  if (second_begin < end && !first.is_newline()) {
    const ClassifiedChar second = classify(second_begin, end);
    if (second.is_letter()) return skip_run(second_begin + second.length, end, is_letter);
    if (first.code_point == ' ' && second.is_symbol()) {
      return skip_run(skip_run(second_begin, end, is_symbol), end, is_newline);
    }
  }
  if (first.is_symbol()) return skip_run(skip_run(second_begin, end, is_symbol), end, is_newline);
  const char* const after_newline = line_end_word(begin, end);
  return after_newline != begin ? after_newline : whitespace_word(begin, end);
}

}  // namespace

const char* next_gpt2_word(const char* begin, const char* end) {
  ClassifiedChar first = classify(begin, end);
  if (first.code_point == '\'') {
    if (const std::size_t length = contraction_length(begin, end, LetterCase::exact)) return begin + length;
  }
  const char* p = begin;
  if (first.code_point == ' ' && begin + 1 < end) {
    const ClassifiedChar second = classify(begin + 1, end);
    if (!second.is_space()) {
      first = second;
      ++p;
    }
  }
  p += first.length;
  if (first.is_letter()) return skip_run(p, end, is_letter);
  if (first.is_number()) return skip_run(p, end, is_number);
  if (first.is_symbol()) return skip_run(p, end, is_symbol);
  return whitespace_word(begin, end);
}

const char* next_qwen2_word(const char* begin, const char* end) { return next_modern_word<1>(begin, end); }

const char* next_llama3_word(const char* begin, const char* end) { return next_modern_word<3>(begin, end); }

}  // namespace plm::tokenizer
