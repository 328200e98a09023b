#include "train/data/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <queue>
#include <unordered_map>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/hash.h"
#include "tokenizer/utf8.h"

namespace plm::train {

namespace {

using tokenizer::TokenType;

// A pair of neighbours and where it occurs.
struct Pair {
  int32_t left, right;
  int64_t count = 0;                // over all words, each as often as it occurs
  std::vector<int32_t> words = {};  // that hold it, or held it
  bool is_touched = false;          // it became more frequent in this step
};

// All pairs there are, found by their two tokens: open addressing over indices of a vector.
class PairTable {
 public:
  PairTable() : slots_(1 << 16, -1) {}

  int32_t find_or_add(int32_t left, int32_t right) {
    size_t at = slot_of(left, right);
    if (slots_[at] >= 0) return slots_[at];
    if (2 * pairs_.size() >= slots_.size()) {
      grow();
      at = slot_of(left, right);
    }
    slots_[at] = static_cast<int32_t>(pairs_.size());
    pairs_.push_back({left, right});
    return slots_[at];
  }
  Pair& operator[](int32_t index) { return pairs_[static_cast<size_t>(index)]; }
  int32_t size() const { return static_cast<int32_t>(pairs_.size()); }

 private:
  size_t slot_of(int32_t left, int32_t right) const {
    const uint64_t hash = tokenizer::mix(static_cast<uint64_t>(left), static_cast<uint64_t>(right));
    for (size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at] < 0) return at;
      const Pair& pair = pairs_[static_cast<size_t>(slots_[at])];
      if (pair.left == left && pair.right == right) return at;
    }
  }
  void grow() {
    slots_.assign(2 * slots_.size(), -1);
    for (size_t i = 0; i < pairs_.size(); ++i) {
      slots_[slot_of(pairs_[i].left, pairs_[i].right)] = static_cast<int32_t>(i);
    }
  }

  std::vector<int32_t> slots_;  // a power of two, at most half full
  std::vector<Pair> pairs_;
};

struct Word {
  size_t begin;    // of its tokens in one long array
  int32_t length;  // shrinks with every merge
  int64_t count;
};

class BpeTrainer {
 public:
  explicit BpeTrainer(const BpeOptions& options) : options_(options) {
    data_.model = "gpt2";
    data_.pre_tokenizer = options.pre_tokenizer;
    data_.normalizer = options.normalizer;
    std::array<int, 256> bytes;
    std::iota(bytes.begin(), bytes.end(), 0);
    const auto code_point = [](int byte) {
      return tokenizer::decode_utf8(tokenizer::byte_character(static_cast<uint8_t>(byte))).code_point;
    };
    std::sort(bytes.begin(), bytes.end(), [&](int a, int b) { return code_point(a) < code_point(b); });
    for (const int byte : bytes) {
      byte_ids_[static_cast<size_t>(byte)] =
          add_token(tokenizer::byte_character(static_cast<uint8_t>(byte)), TokenType::normal);
    }
  }

  Result<tokenizer::VocabularyData> train(const WordCounts& counts) {
    read_words(counts);
    for (int32_t i = 0; i < pairs_.size(); ++i) push(i);
    const int64_t n_ordinary = options_.vocabulary_size - std::ssize(options_.special_tokens);
    while (std::ssize(data_.tokens) < n_ordinary && !queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const int64_t count = pairs_[best.pair].count;
      if (best.count != count) {  // it lost some to a merge since it was queued
        push(best.pair);
        continue;
      }
      if (count < std::max<int64_t>(1, options_.least_count)) break;
      merge(best.pair);
      if (options_.progress && !options_.progress(std::ssize(data_.tokens))) {
        return make_error(ErrorKind::cancelled, "interrupted at {} tokens", data_.tokens.size());
      }
    }
    if (!options_.special_tokens.empty()) data_.eos_id = data_.padding_id = std::ssize(data_.tokens);
    for (const auto& special : options_.special_tokens) add_token(special, TokenType::control);
    return std::move(data_);
  }

 private:
  struct Candidate {
    int64_t count;
    int32_t left, right, pair;
    bool operator<(const Candidate& other) const {  // the largest is merged first
      if (count != other.count) return count < other.count;
      return left != other.left ? left > other.left : right > other.right;
    }
  };

  int32_t add_token(const std::string& text, TokenType type) {
    data_.tokens.push_back(text);
    data_.types.push_back(static_cast<int32_t>(type));
    const auto id = static_cast<int32_t>(data_.tokens.size() - 1);
    ids_.emplace(text, id);
    return id;
  }

  void push(int32_t pair) {
    const Pair& p = pairs_[pair];
    if (p.count > 0) queue_.push({p.count, p.left, p.right, pair});
  }

  void change(int32_t left, int32_t right, int64_t by, int32_t word) {
    const int32_t index = pairs_.find_or_add(left, right);
    Pair& pair = pairs_[index];
    pair.count += by;
    if (by < 0) return;
    if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
    if (!pair.is_touched) touched_.push_back(index);
    pair.is_touched = true;
  }

  void read_words(const WordCounts& counts) {
    for (const auto& [text, count] : counts.words()) {
      const auto word = static_cast<int32_t>(words_.size());
      words_.push_back({tokens_.size(), static_cast<int32_t>(text.size()), count});
      for (const char c : text) tokens_.push_back(byte_ids_[static_cast<uint8_t>(c)]);
      const int32_t* token = tokens_.data() + words_.back().begin;
      for (size_t i = 0; i + 1 < text.size(); ++i) change(token[i], token[i + 1], count, word);
    }
    forget_touched();
  }

  void forget_touched() {
    for (const int32_t pair : touched_) pairs_[pair].is_touched = false;
    touched_.clear();
  }

  void merge(int32_t index) {
    const int32_t left = pairs_[index].left, right = pairs_[index].right;
    const std::string left_text = data_.tokens[static_cast<size_t>(left)];
    const std::string right_text = data_.tokens[static_cast<size_t>(right)];
    const std::string text = left_text + right_text;
    const auto& special = options_.special_tokens;
    if (std::find(special.begin(), special.end(), text) != special.end()) return;  // not to be had from text
    data_.merges.push_back(left_text + " " + right_text);
    // Two ways to the same text are one token.
    const auto known = ids_.find(text);
    const int32_t merged = known != ids_.end() ? known->second : add_token(text, TokenType::normal);
    const std::vector<int32_t> words = std::move(pairs_[index].words);
    pairs_[index].words = {};
    for (const int32_t word : words) merge_in_word(word, left, right, merged);
    pairs_[index].count = 0;
    for (const int32_t pair : touched_) push(pair);
    forget_touched();
  }

  void merge_in_word(int32_t word_index, int32_t left, int32_t right, int32_t merged) {
    Word& word = words_[static_cast<size_t>(word_index)];
    int32_t* const tokens = tokens_.data() + word.begin;
    int32_t n = 0;  // tokens[0 .. n - 1] are done
    for (int32_t i = 0; i < word.length; ++i) {
      if (i + 1 == word.length || tokens[i] != left || tokens[i + 1] != right) {
        tokens[n++] = tokens[i];
        continue;
      }
      if (n > 0) {
        change(tokens[n - 1], left, -word.count, word_index);
        change(tokens[n - 1], merged, word.count, word_index);
      }
      ++i;
      if (i + 1 < word.length) {
        change(right, tokens[i + 1], -word.count, word_index);
        change(merged, tokens[i + 1], word.count, word_index);
      }
      tokens[n++] = merged;
    }
    word.length = n;
  }

  const BpeOptions& options_;
  tokenizer::VocabularyData data_;
  std::unordered_map<std::string, int32_t> ids_;
  std::array<int32_t, 256> byte_ids_{};
  std::vector<int32_t> tokens_;
  std::vector<Word> words_;
  PairTable pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<int32_t> touched_;
};

}  // namespace

Result<tokenizer::VocabularyData> train_bpe(const WordCounts& counts, const BpeOptions& options) {
  constexpr int64_t kMostTokens = 1 << 24;
  const int64_t least = 256 + std::ssize(options.special_tokens);
  if (options.vocabulary_size < least || options.vocabulary_size > kMostTokens) {
    return make_error(ErrorKind::invalid_argument,
                      "vocabulary size: found {}, expected {} (256 bytes and {} special tokens) to {}",
                      options.vocabulary_size, least, options.special_tokens.size(), kMostTokens);
  }
  for (size_t i = 0; i < options.special_tokens.size(); ++i) {
    const auto& special = options.special_tokens;
    if (special[i].empty() || std::find(special.begin(), special.begin() + static_cast<std::ptrdiff_t>(i),
                                        special[i]) != special.begin() + static_cast<std::ptrdiff_t>(i)) {
      return make_error(ErrorKind::invalid_argument, "special token {}: \"{}\" is empty or given twice",
                        i + 1, special[i]);
    }
  }
  if (counts.size() == 0) return make_error(ErrorKind::bad_data, "no words to train a tokenizer on");
  if (counts.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return make_error(ErrorKind::unsupported, "{} different words are too many", counts.size());
  }
  return BpeTrainer(options).train(counts);
}

}  // namespace plm::train
