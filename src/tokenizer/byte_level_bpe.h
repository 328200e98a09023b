// Byte-level BPE within one word: begin with its bytes, and as long as any two neighbours may merge, merge
// the pair of lowest rank, the leftmost of equals.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/merge_rules.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/word_cache.h"

namespace plm::tokenizer {

// Working memory of one encode call; kept between calls for its cache.
struct BpeScratch {
  struct LinkedNode {
    Symbol symbol;
    std::size_t previous;
    std::size_t next;
    std::size_t byte_begin;
  };
  struct Candidate {
    std::uint32_t rank;
    std::size_t left;
    Symbol left_symbol;
    Symbol right_symbol;
    Symbol merged;
  };

  WordCache cache;
  std::vector<TokenId> word_ids;
  std::vector<LinkedNode> linked;
  std::vector<Candidate> heap;
};

class ByteLevelBpe {
 public:
  // Both stay with their owner.
  ByteLevelBpe(const Vocabulary& vocabulary, const MergeRules& rules, PreTokenizer pre_tokenizer);

  // Appends the ids of a text without special tokens, and stops soon after `ids` holds more than `enough`.
  void encode(std::string_view text, BpeScratch& scratch, std::vector<TokenId>& ids,
              std::size_t enough) const;

 private:
  void encode_word(std::string_view word, BpeScratch& scratch) const;
  void merge_short(std::string_view word, BpeScratch& scratch) const;
  void merge_long(std::string_view word, BpeScratch& scratch) const;
  void emit(Symbol symbol, std::string_view bytes, std::vector<TokenId>& ids) const;

  const Vocabulary* vocabulary_;
  const MergeRules* rules_;
  PreTokenizer pre_tokenizer_;
};

}  // namespace plm::tokenizer
