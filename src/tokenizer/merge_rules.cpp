#include "tokenizer/merge_rules.h"

#include <bit>
#include <deque>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/hash.h"

namespace plm::tokenizer {
namespace {

std::uint64_t pair_key(Symbol left, Symbol right) { return std::uint64_t{left} << 32 | right; }

// Numbers for all strings: ids for tokens, fresh numbers for strings that are only steps of merges.
class SymbolNumbers {
 public:
  explicit SymbolNumbers(const Vocabulary& vocabulary)
      : ids_(vocabulary.ids), next_(static_cast<Symbol>(vocabulary.size())) {}

  Symbol number(std::string_view text) {
    if (const auto id = ids_.find(text)) return *id;
    if (const auto symbol = extra_.find(text)) return *symbol;
    extra_texts_.emplace_back(text);
    extra_.set(extra_texts_.back(), next_);
    return next_++;
  }

 private:
  const StringTable& ids_;
  StringTable extra_;
  std::deque<std::string> extra_texts_;  // the table points into it
  Symbol next_;
};

}  // namespace

Result<MergeRules> MergeRules::create(const Vocabulary& vocabulary, const std::vector<std::string>& merges) {
  MergeRules rules;
  rules.token_count_ = static_cast<Symbol>(vocabulary.size());
  // Each merge makes at most three new symbols, and ids are below 2^31.
  constexpr std::size_t kMaxMerges = std::size_t{1} << 29;
  if (merges.size() > kMaxMerges) {
    return make_error(ErrorKind::bad_data, "tokenizer.ggml.merges: found {} merges, expected at most {}",
                      merges.size(), kMaxMerges);
  }
  rules.slots_.resize(std::bit_ceil(merges.size() * 2 + 2));
  SymbolNumbers numbers(vocabulary);
  for (int byte = 0; byte < 256; ++byte) {
    const auto index = static_cast<std::uint8_t>(byte);
    rules.byte_symbols_[index] = numbers.number(byte_character(index));
  }
  std::string joined;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string_view merge = merges[i];
    // From 1, as llama.cpp: a left side may itself begin with a blank.
    const std::size_t blank = merge.empty() ? std::string_view::npos : merge.find(' ', 1);
    if (blank == std::string_view::npos || blank + 1 == merge.size()) {
      return make_error(
          ErrorKind::bad_data,
          "tokenizer.ggml.merges: entry {}: found \"{:.64}\", expected two symbols with a blank "
          "between",
          i, merge);
    }
    const std::string_view left = merge.substr(0, blank);
    const std::string_view right = merge.substr(blank + 1);
    joined.assign(left).append(right);
    rules.add(numbers.number(left), numbers.number(right),
              {static_cast<std::uint32_t>(i), numbers.number(joined)});
  }
  return rules;
}

Merge MergeRules::find(Symbol left, Symbol right) const {
  return slots_[slot_of(pair_key(left, right))].merge;
}

void MergeRules::add(Symbol left, Symbol right, Merge merge) {
  const std::uint64_t pair = pair_key(left, right);
  Slot& slot = slots_[slot_of(pair)];
  if (slot.pair == kFree) slot = {pair, merge};
}

std::size_t MergeRules::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t index = mix(pair, 0) & mask;
  while (slots_[index].pair != kFree && slots_[index].pair != pair) index = (index + 1) & mask;
  return index;
}

}  // namespace plm::tokenizer
