// The merges of byte-level BPE as a table: which two neighbouring symbols join, in which order of precedence,
// and into what. Symbols are the strings that occur in the vocabulary or in a merge; the first are the
// tokens.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenizer/vocabulary.h"

namespace plm::tokenizer {

using Symbol = std::uint32_t;
constexpr Symbol kNoSymbol = 0xFFFFFFFF;

struct Merge {
  std::uint32_t rank;  // the lower goes first
  Symbol result;
};
constexpr std::uint32_t kNoRank = 0xFFFFFFFF;

class MergeRules {
 public:
  // `merges` as in tokenizer.ggml.merges: "left right", best first. Of equal pairs the first counts.
  static Result<MergeRules> create(const Vocabulary& vocabulary, const std::vector<std::string>& merges);

  // The rule for two neighbours; rank kNoRank when they do not join.
  Merge find(Symbol left, Symbol right) const;

  // The symbol of one byte of text.
  Symbol byte_symbol(std::uint8_t byte) const { return byte_symbols_[byte]; }

  // A symbol below this is the token of that id; the others are no tokens.
  Symbol token_count() const { return token_count_; }

 private:
  struct Slot {
    std::uint64_t pair = kFree;
    Merge merge = {kNoRank, kNoSymbol};
  };
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};

  void add(Symbol left, Symbol right, Merge merge);
  std::size_t slot_of(std::uint64_t pair) const;

  std::vector<Slot> slots_;  // a power of two, at most half used
  std::array<Symbol, 256> byte_symbols_{};
  Symbol token_count_ = 0;
};

}  // namespace plm::tokenizer
