// The tokens of a vocabulary that can be part of a constrained answer, in the order of their bytes, so that
// what two have in common is looked at once.
#pragma once

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
  };

  // Control tokens, unknown ones, and those that end an answer are left out. The tokenizer must outlive it.
  static std::shared_ptr<const TokenIndex> create(const tokenizer::Tokenizer& tokenizer);

  std::span<const Entry> entries() const { return entries_; }
  size_t longest() const { return longest_; }  // bytes
  std::span<const tokenizer::TokenId> end_ids() const { return tokenizer_.end_of_generation_ids(); }
  size_t vocabulary_size() const { return tokenizer_.vocabulary_size(); }
  // The bytes of a token of the entries; empty for any other.
  std::string_view bytes_of(tokenizer::TokenId id) const;

 private:
  explicit TokenIndex(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  const tokenizer::Tokenizer& tokenizer_;
  std::vector<Entry> entries_;
  size_t longest_ = 0;
};

}  // namespace plm::grammar
