// The classes of code points that pre-tokenizers and NFC ask for, as one byte each. The data is generated:
// unicode_data.cpp, by tools/generate_unicode_data.py.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plm::tokenizer {

enum UnicodeFlag : std::uint8_t {
  kLetter = 1,       // \p{L}
  kNumber = 2,       // \p{N}
  kWhitespace = 4,   // \s
  kPunctuation = 8,  // \p{P}
  kNfcActive = 16,   // NFC may change it, move it, or join it to the character before
};

constexpr std::uint32_t kCodePointCount = 0x110000;

struct UnicodeRun {
  std::uint32_t first;
  std::uint8_t flags;
};
extern const UnicodeRun kUnicodeRuns[];
extern const std::size_t kUnicodeRunCount;

// Flags of code point c at index c, kCodePointCount of them. Built at the first call; valid for ever.
const std::uint8_t* unicode_flags();

}  // namespace plm::tokenizer
