// The tokens of a vocabulary that can be part of a constrained answer, in the order of their bytes, so that
// what two have in common is looked at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace plm::grammar {

class TokenIndex {
 public:
  struct Entry {
    std::string_view bytes;  // not empty
    tokenizer::TokenId id;
    uint32_t n_common;  // bytes in common with the entry before
    uint32_t skip;  // the next entry that has less in common with the one before it; or the number of entries
  };
  using Bits = std::vector<uint64_t>;  // one for each token of the vocabulary

  // Control tokens, unknown ones, and those that end an answer are left out. The tokenizer must outlive it.
  static std::shared_ptr<const TokenIndex> create(const tokenizer::Tokenizer& tokenizer);

  std::span<const Entry> entries() const { return entries_; }

  // Nearly all tokens are plain: whole characters that a JSON string takes as they are (is_plain). Those of
  // at most n of them, and the entries of all other tokens.
  const Bits& plain_up_to(size_t n) const { return plain_[std::min(n, plain_.size() - 1)]; }
  size_t most_plain_characters() const { return plain_.size() - 1; }
  std::span<const Entry> entries_but_plain() const { return others_; }
  // From the blank on, without quote, backslash and DEL.
  static bool is_plain(uint32_t code_point) {
    return code_point >= 0x20 && code_point != '"' && code_point != '\\' && code_point != 0x7F;
  }

  size_t longest() const { return longest_; }  // bytes
  std::span<const tokenizer::TokenId> end_ids() const { return tokenizer_.end_of_generation_ids(); }
  size_t vocabulary_size() const { return tokenizer_.vocabulary_size(); }
  // The bytes of a token of the entries; empty for any other.
  std::string_view bytes_of(tokenizer::TokenId id) const;

 private:
  explicit TokenIndex(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  const tokenizer::Tokenizer& tokenizer_;
  std::vector<Entry> entries_, others_;
  std::vector<Bits> plain_;
  size_t longest_ = 0;
};

}  // namespace plm::grammar
