#include "runtime/ngram_index.h"

#include <algorithm>

#include "base/error.h"

namespace plm::runtime {

// Places looked at: in a text that says one thing over and over there are as many as tokens, and the latest
// are as good as the others.
constexpr int kMostPlaces = 64;

NgramIndex::NgramIndex(NgramSizes sizes) : sizes_(sizes) {
  PLM_CHECK(sizes.shortest >= 1 && sizes.longest >= sizes.shortest);
}

void NgramIndex::clear() {
  tokens_.clear();
  latest_.clear();
  before_.clear();
}

// Of the `shortest` tokens before `end`.
uint64_t NgramIndex::hash_of_end(int64_t end) const {
  uint64_t hash = 0;
  for (int64_t i = end - sizes_.shortest; i < end; ++i) {
    hash = (hash ^ static_cast<uint32_t>(tokens_[static_cast<size_t>(i)])) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29;
  }
  return hash;
}

void NgramIndex::add(TokenId token) {
  // The place before the new token can be found from now on: something follows it.
  const auto place = std::ssize(tokens_);
  before_.push_back(0);
  if (place >= sizes_.shortest) {
    int64_t& latest = latest_[hash_of_end(place)];
    before_.back() = latest;
    latest = place;
  }
  tokens_.push_back(token);
}

// How many tokens before a and before b are the same, at most `longest`.
int64_t NgramIndex::common_end(int64_t a, int64_t b) const {
  const int64_t most = std::min({a, b, sizes_.longest});
  int64_t n = 0;
  while (n < most && tokens_[static_cast<size_t>(a - n - 1)] == tokens_[static_cast<size_t>(b - n - 1)]) ++n;
  return n;
}

std::vector<TokenId> NgramIndex::lookup(int64_t most) const {
  const auto end = std::ssize(tokens_);
  if (most <= 0 || end < sizes_.shortest) return {};
  const auto found = latest_.find(hash_of_end(end));
  if (found == latest_.end()) return {};
  int64_t best = 0, best_length = sizes_.shortest - 1;
  int n_places = 0;
  for (int64_t place = found->second; place > 0 && n_places < kMostPlaces;
       place = before_[static_cast<size_t>(place)], ++n_places) {
    const int64_t length = common_end(place, end);
    if (length <= best_length) continue;
    best = place;
    best_length = length;
    if (length == sizes_.longest) break;
  }
  std::vector<TokenId> next;
  for (int64_t i = best; best > 0 && std::ssize(next) < most; ++i) {
    next.push_back(i < end ? tokens_[static_cast<size_t>(i)] : next[static_cast<size_t>(i - end)]);
  }
  return next;
}

}  // namespace plm::runtime
