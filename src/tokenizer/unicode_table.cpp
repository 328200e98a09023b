#include "tokenizer/unicode_table.h"

#include <algorithm>
#include <vector>

namespace plm::tokenizer {

// Flat, because a text touches only the few cache lines of its own scripts.
const std::uint8_t* unicode_flags() {
  static const std::vector<std::uint8_t> table = [] {
    std::vector<std::uint8_t> flags(kCodePointCount);
    for (std::size_t i = 0; i < kUnicodeRunCount; ++i) {
      const std::uint32_t end = i + 1 < kUnicodeRunCount ? kUnicodeRuns[i + 1].first : kCodePointCount;
      std::fill(flags.begin() + kUnicodeRuns[i].first, flags.begin() + end, kUnicodeRuns[i].flags);
    }
    return flags;
  }();
  return table.data();
}

}  // namespace plm::tokenizer
