#include "grammar/token_index.h"

#include <algorithm>

namespace plm::grammar {

namespace {

bool is_text(const tokenizer::Tokenizer& tokenizer, tokenizer::TokenId id) {
  using tokenizer::TokenType;
  const TokenType type = tokenizer.token_type(id);
  return (type == TokenType::normal || type == TokenType::byte || type == TokenType::user_defined) &&
         !tokenizer.is_special(id) && !tokenizer.is_end_of_generation(id);
}

}  // namespace

std::shared_ptr<const TokenIndex> TokenIndex::create(const tokenizer::Tokenizer& tokenizer) {
  std::shared_ptr<TokenIndex> index(new TokenIndex(tokenizer));
  const auto n = static_cast<tokenizer::TokenId>(tokenizer.vocabulary_size());
  for (tokenizer::TokenId id = 0; id < n; ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    if (!bytes.empty() && is_text(tokenizer, id)) {
      index->entries_.push_back({.bytes = bytes, .id = id, .n_common = 0});
    }
  }
  std::ranges::sort(index->entries_, {}, &Entry::bytes);
  std::string_view before;
  for (Entry& entry : index->entries_) {
    const auto differs =
        std::mismatch(entry.bytes.begin(), entry.bytes.end(), before.begin(), before.end()).first;
    entry.n_common = static_cast<uint32_t>(differs - entry.bytes.begin());
    index->longest_ = std::max(index->longest_, entry.bytes.size());
    before = entry.bytes;
  }
  return index;
}

std::string_view TokenIndex::bytes_of(tokenizer::TokenId id) const {
  return is_text(tokenizer_, id) ? tokenizer_.token_bytes(id) : std::string_view();
}

}  // namespace plm::grammar
