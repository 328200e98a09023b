#include "grammar/token_index.h"

#include <algorithm>
#include <functional>

#include "tokenizer/utf8.h"

namespace plm::grammar {

namespace {

bool is_text(const tokenizer::Tokenizer& tokenizer, tokenizer::TokenId id) {
  using tokenizer::TokenType;
  const TokenType type = tokenizer.token_type(id);
  return (type == TokenType::normal || type == TokenType::byte || type == TokenType::user_defined) &&
         !tokenizer.is_special(id) && !tokenizer.is_end_of_generation(id);
}

constexpr size_t kMostPlain = 24;  // characters of a token that counts as plain: longer ones are few

// How many plain characters the text is of; 0: not of those alone.
size_t plain_characters(std::string_view text) {
  size_t n = 0;
  while (!text.empty()) {
    const auto [code_point, length] = tokenizer::decode_utf8(text);
    if (code_point == tokenizer::kInvalidCodePoint || !TokenIndex::is_plain(code_point)) return 0;
    text.remove_prefix(length);
    ++n;
  }
  return n;
}

// Fills n_common and skip of entries in the order of their bytes.
void link(std::vector<TokenIndex::Entry>& entries) {
  std::string_view before;
  for (TokenIndex::Entry& entry : entries) {
    const auto differs =
        std::mismatch(entry.bytes.begin(), entry.bytes.end(), before.begin(), before.end()).first;
    entry.n_common = static_cast<uint32_t>(differs - entry.bytes.begin());
    before = entry.bytes;
  }
  for (size_t i = entries.size(); i-- > 0;) {
    auto next = static_cast<uint32_t>(i + 1);
    while (next < entries.size() && entries[next].n_common >= entries[i].n_common) next = entries[next].skip;
    entries[i].skip = next;
  }
}

}  // namespace

std::shared_ptr<const TokenIndex> TokenIndex::create(const tokenizer::Tokenizer& tokenizer) {
  std::shared_ptr<TokenIndex> index(new TokenIndex(tokenizer));
  const auto n = static_cast<tokenizer::TokenId>(tokenizer.vocabulary_size());
  index->entries_.reserve(tokenizer.vocabulary_size());
  for (tokenizer::TokenId id = 0; id < n; ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    if (bytes.empty() || !is_text(tokenizer, id)) continue;
    index->entries_.push_back({.bytes = bytes, .id = id, .n_common = 0, .skip = 0});
    index->longest_ = std::max(index->longest_, bytes.size());
  }
  std::ranges::sort(index->entries_, {}, &Entry::bytes);
  index->plain_.assign(kMostPlain + 1, Bits((tokenizer.vocabulary_size() + 63) / 64));
  for (const Entry& entry : index->entries_) {
    const size_t n_characters = plain_characters(entry.bytes);
    if (n_characters == 0 || n_characters > kMostPlain) {
      index->others_.push_back(entry);
    } else {
      const auto id = static_cast<size_t>(entry.id);
      index->plain_[n_characters][id / 64] |= 1ULL << (id % 64);
    }
  }
  for (size_t n_characters = 1; n_characters <= kMostPlain; ++n_characters) {
    Bits& bits = index->plain_[n_characters];
    std::ranges::transform(bits, index->plain_[n_characters - 1], bits.begin(), std::bit_or<>());
  }
  link(index->entries_);
  link(index->others_);
  return index;
}

std::string_view TokenIndex::bytes_of(tokenizer::TokenId id) const {
  return is_text(tokenizer_, id) ? tokenizer_.token_bytes(id) : std::string_view();
}

}  // namespace plm::grammar
