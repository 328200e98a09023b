// Finds where the end of a text stood before, and what came after it: prompt lookup (Saxena 2023,
// github.com/apoorvumang/prompt-lookup-decoding). Incremental: a token added or looked up costs the same
// however long the text is.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "tokenizer/token.h"

namespace plm::runtime {

using tokenizer::TokenId;

struct NgramSizes {
  int64_t shortest = 4;  // tokens at the end that must have stood before
  int64_t longest = 32;  // more are not looked at: who agrees in so many is as good as another
};

class NgramIndex {
 public:
  // 1 <= shortest <= longest.
  explicit NgramIndex(NgramSizes sizes);

  void clear();
  void add(TokenId token);

  // `most` tokens that would follow if the text went on as it did behind the place where its longest end
  // stood before; of several such places the latest, and behind its end the text goes on with these tokens
  // themselves. Empty: the last `shortest` tokens are new.
  std::vector<TokenId> lookup(int64_t most) const;

  std::span<const TokenId> tokens() const { return tokens_; }

 private:
  uint64_t hash_of_end(int64_t end) const;
  int64_t common_end(int64_t a, int64_t b) const;

  NgramSizes sizes_;
  std::vector<TokenId> tokens_;
  // Of the places before which the same `shortest` tokens stand (or others of the same hash): the latest by
  // hash, and of each place the one before it, 0 for none.
  std::unordered_map<uint64_t, int64_t> latest_;
  std::vector<int64_t> before_;
};

}  // namespace plm::runtime
