// The text of a grammar or pattern while it is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::grammar {

class PatternText {
 public:
  // `what` stands first in errors: "grammar: line 3: ...".
  PatternText(std::string_view what, std::string_view text) : what_(what), text_(text) {}

  bool at_end() const { return position_ >= text_.size(); }
  // '\0' beyond the end.
  char peek(size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }
  void skip(size_t n_bytes) { position_ = std::min(position_ + n_bytes, text_.size()); }
  // Skips `expected` if it stands here.
  bool take(std::string_view expected);

  // The next character, which must be UTF-8.
  Result<uint32_t> code_point();
  // Exactly so many hexadecimal digits, of a character that is no surrogate.
  Result<uint32_t> hex(int n_digits);

  Error error(std::string_view message) const;
  Error unexpected(std::string_view expected) const;

 private:
  std::string_view what_, text_;
  size_t position_ = 0;
};

struct Repetition {
  int64_t least, most;  // most: or Expression::kNoLimit
};

inline constexpr int64_t kMaxRepetitions = 10'000;

// One of * + ? {m} {m,} {m,n}; nothing when none stands here. Fails with invalid_argument on one that is
// broken or beyond kMaxRepetitions.
Result<std::optional<Repetition>> read_repetition(PatternText& text);

void append_utf8(std::string& bytes, uint32_t code_point);

}  // namespace plm::grammar
