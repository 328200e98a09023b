// Finds the special tokens written out in a text, so that "<|im_end|>" becomes one token and not six.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace plm::tokenizer {

struct SpecialMatch {
  std::size_t begin;
  std::size_t size;
  TokenId id;
};

class SpecialTokens {
 public:
  explicit SpecialTokens(const Vocabulary& vocabulary);

  // The special tokens of `text` from left to right, not overlapping. Where candidates overlap, the longer
  // wins, then the lower id, then the one further left: llama.cpp's rule. User-defined tokens are always
  // sought, control and unknown tokens only with `with_control`.
  std::vector<SpecialMatch> find(std::string_view text, bool with_control) const;

 private:
  struct Token {
    std::string_view text;
    TokenId id;
    bool is_control;
  };

  std::vector<SpecialMatch> candidates(std::string_view text, bool with_control) const;

  std::vector<Token> tokens_;  // by first byte
  std::array<std::size_t, 257>
      first_index_;  // the tokens of first byte b: [first_index_[b], first_index_[b+1])
};

}  // namespace plm::tokenizer
