#include "tokenizer/byte_level_bpe.h"

#include <algorithm>
#include <bit>

#include "tokenizer/byte_alphabet.h"

namespace plm::tokenizer {
namespace {

// Up to here looking at every pair again after each merge is quicker than keeping a heap.
constexpr std::size_t kShortWordBytes = 64;
constexpr std::size_t kNone = ~std::size_t{0};

// The byte order of WordCache::Key is used for its length byte.
static_assert(std::endian::native == std::endian::little);

// A heap of the standard library has its greatest on top: greatest is what merges first.
bool merges_later(const BpeScratch::Candidate& a, const BpeScratch::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
}

}  // namespace

ByteLevelBpe::ByteLevelBpe(const Vocabulary& vocabulary, const MergeRules& rules, PreTokenizer pre_tokenizer)
    : vocabulary_(&vocabulary), rules_(&rules), pre_tokenizer_(pre_tokenizer) {}

void ByteLevelBpe::encode(std::string_view text, BpeScratch& scratch, std::vector<TokenId>& ids,
                          std::size_t enough) const {
  const char* const end = text.data() + text.size();
  WordSplitter words(pre_tokenizer_, text);
  for (std::string_view word = words.next(); !word.empty() && ids.size() <= enough; word = words.next()) {
    if (word.size() > WordCache::kMaxBytes) {
      encode_word(word, scratch);
      ids.insert(ids.end(), scratch.word_ids.begin(), scratch.word_ids.end());
      continue;
    }
    const WordCache::Key key = WordCache::key_of(word, end);
    WordCache::Entry& entry = scratch.cache.entry(key);
    if (entry.count != 0 && entry.key == key) {
      ids.insert(ids.end(), entry.ids, entry.ids + entry.count);
      continue;
    }
    encode_word(word, scratch);
    const std::vector<TokenId>& word_ids = scratch.word_ids;
    ids.insert(ids.end(), word_ids.begin(), word_ids.end());
    if (!word_ids.empty() && word_ids.size() <= WordCache::kMaxIds) {
      entry.key = key;
      entry.count = static_cast<std::uint32_t>(word_ids.size());
      std::copy(word_ids.begin(), word_ids.end(), entry.ids);
    }
  }
}

// Leaves the ids of one word in scratch.word_ids.
void ByteLevelBpe::encode_word(std::string_view word, BpeScratch& scratch) const {
  scratch.word_ids.clear();
  // Llama 3 takes a word that is a token as it is, even where its merges would not lead there.
  if (pre_tokenizer_ == PreTokenizer::llama3) {
    if (const auto id = vocabulary_->find(to_byte_alphabet(word))) {
      scratch.word_ids.push_back(*id);
      return;
    }
  }
  if (word.size() <= kShortWordBytes) {
    merge_short(word, scratch);
  } else {
    merge_long(word, scratch);
  }
}

// `word` is not empty.
void ByteLevelBpe::merge_short(std::string_view word, BpeScratch& scratch) const {
  struct Node {
    Symbol symbol;
    std::uint8_t byte_begin;
    Merge with_next;
  };
  Node nodes[kShortWordBytes];
  std::size_t count = word.size();
  for (std::size_t i = 0; i < count; ++i) {
    nodes[i] = {rules_->byte_symbol(static_cast<std::uint8_t>(word[i])),
                static_cast<std::uint8_t>(i),
                {kNoRank, kNoSymbol}};
  }
  const auto update = [&](std::size_t i) {
    nodes[i].with_next =
        i + 1 < count ? rules_->find(nodes[i].symbol, nodes[i + 1].symbol) : Merge{kNoRank, kNoSymbol};
  };
  for (std::size_t i = 0; i < count; ++i) update(i);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < count; ++i) {
      if (nodes[i].with_next.rank < nodes[best].with_next.rank) best = i;
    }
    if (nodes[best].with_next.rank == kNoRank) break;
    nodes[best].symbol = nodes[best].with_next.result;
    std::copy(nodes + best + 2, nodes + count, nodes + best + 1);
    --count;
    update(best);
    if (best != 0) update(best - 1);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = nodes[i].byte_begin;
    const std::size_t end = i + 1 < count ? nodes[i + 1].byte_begin : word.size();
    emit(nodes[i].symbol, word.substr(begin, end - begin), scratch.word_ids);
  }
}

// The same in n log n: a linked list of symbols, and a heap of the merges that were possible when they were
// put there. A merge of the heap still counts if both its symbols are as they were.
void ByteLevelBpe::merge_long(std::string_view word, BpeScratch& scratch) const {
  std::vector<BpeScratch::LinkedNode>& nodes = scratch.linked;
  std::vector<BpeScratch::Candidate>& heap = scratch.heap;
  nodes.resize(word.size());
  heap.clear();
  const auto consider = [&](std::size_t left) {
    if (left == kNone || nodes[left].next == kNone) return;
    const Symbol right_symbol = nodes[nodes[left].next].symbol;
    const Merge merge = rules_->find(nodes[left].symbol, right_symbol);
    if (merge.rank == kNoRank) return;
    heap.push_back({merge.rank, left, nodes[left].symbol, right_symbol, merge.result});
    std::push_heap(heap.begin(), heap.end(), merges_later);
  };
  for (std::size_t i = 0; i < word.size(); ++i) {
    nodes[i] = {rules_->byte_symbol(static_cast<std::uint8_t>(word[i])), i == 0 ? kNone : i - 1,
                i + 1 < word.size() ? i + 1 : kNone, i};
  }
  for (std::size_t i = 0; i < word.size(); ++i) consider(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), merges_later);
    const BpeScratch::Candidate best = heap.back();
    heap.pop_back();
    BpeScratch::LinkedNode& left = nodes[best.left];
    if (left.symbol != best.left_symbol || left.next == kNone ||
        nodes[left.next].symbol != best.right_symbol) {
      continue;
    }
    BpeScratch::LinkedNode& right = nodes[left.next];
    left.symbol = best.merged;
    left.next = right.next;
    right.symbol = kNoSymbol;
    if (left.next != kNone) nodes[left.next].previous = best.left;
    consider(best.left);
    consider(left.previous);
  }
  for (std::size_t i = 0; i != kNone; i = nodes[i].next) {
    const std::size_t end = nodes[i].next == kNone ? word.size() : nodes[nodes[i].next].byte_begin;
    emit(nodes[i].symbol, word.substr(nodes[i].byte_begin, end - nodes[i].byte_begin), scratch.word_ids);
  }
}

// A symbol that is no token is written byte by byte; a byte without a token as the unknown token, if any.
void ByteLevelBpe::emit(Symbol symbol, std::string_view bytes, std::vector<TokenId>& ids) const {
  if (symbol < rules_->token_count()) {
    ids.push_back(static_cast<TokenId>(symbol));
    return;
  }
  for (const char byte : bytes) {
    const Symbol byte_symbol = rules_->byte_symbol(static_cast<std::uint8_t>(byte));
    if (byte_symbol < rules_->token_count()) {
      ids.push_back(static_cast<TokenId>(byte_symbol));
    } else if (vocabulary_->unknown) {
      ids.push_back(*vocabulary_->unknown);
    }
  }
}

}  // namespace plm::tokenizer
