// SentencePiece's BPE: begin with the characters of the whole text, and as long as two neighbours together
// are a token, merge those of the highest score, the leftmost of equals. What is no token in the end is
// written with byte tokens.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace plm::tokenizer {

class SentencePieceBpe {
 public:
  // `vocabulary` stays with its owner and does not move.
  explicit SentencePieceBpe(const Vocabulary& vocabulary);

  // Appends the ids of a text without special tokens. Blanks become U+2581.
  void encode(std::string_view text, std::vector<TokenId>& ids) const;

 private:
  void emit(std::string_view piece, std::vector<TokenId>& ids) const;

  const Vocabulary* vocabulary_;
  StringTable pieces_;  // the tokens that text may become: not control, unknown or byte tokens
  std::size_t longest_piece_ = 0;
  std::array<TokenId, 256> byte_ids_;  // -1 where the vocabulary has no such byte token
};

}  // namespace plm::tokenizer
