// Remembers the ids of short words. Text is Zipf's: a few thousand words are most of it, and looking one up
// costs far less than merging its bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/hash.h"
#include "tokenizer/token.h"

namespace plm::tokenizer {

// A direct-mapped table: a word displaces the one that had its place. Not for several threads at once.
class WordCache {
 public:
  static constexpr std::size_t kMaxBytes = 15;
  static constexpr std::size_t kMaxIds = 3;

  struct Key {
    std::uint64_t low = 0;
    std::uint64_t high = 0;  // the last byte is the length, so that "a" and "a\0" differ

    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;
    TokenId ids[kMaxIds] = {};
    std::uint32_t count = 0;  // 0: nothing here
  };

  WordCache() : entries_(kEntryCount) {}

  // `word` has 1 to kMaxBytes bytes; `readable_end` is how far its buffer may be read.
  static Key key_of(std::string_view word, const char* readable_end) {
    Key key;
    const std::size_t size = word.size();
    if (readable_end - word.data() >= 16) {
      std::memcpy(&key, word.data(), 16);
      key.low &= size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << size * 8) - 1;
      key.high &= size <= 8 ? 0 : (std::uint64_t{1} << (size - 8) * 8) - 1;
    } else {
      std::memcpy(&key, word.data(), size);
    }
    key.high |= std::uint64_t{size} << 56;
    return key;
  }

  // Where `key` is if `count` is not 0 and the key equal, and where it would go.
  Entry& entry(const Key& key) { return entries_[mix(key.low, key.high) & (kEntryCount - 1)]; }

 private:
  static constexpr std::size_t kEntryCount = std::size_t{1} << 15;
  std::vector<Entry> entries_;
};

}  // namespace plm::tokenizer
