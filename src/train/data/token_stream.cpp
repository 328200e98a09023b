#include "train/data/token_stream.h"

#include <algorithm>

#include "train/data/stable_hash.h"

namespace plm::train {

MemoryTokens::MemoryTokens(std::vector<int32_t> tokens, std::vector<int64_t> document_starts)
    : tokens_(std::move(tokens)), starts_(std::move(document_starts)) {
  PLM_CHECK(std::is_sorted(starts_.begin(), starts_.end()));
  PLM_CHECK(starts_.empty() ? tokens_.empty() : starts_.front() == 0 && starts_.back() < n_tokens());
}

Status MemoryTokens::read(int64_t begin, std::span<int64_t> out) const {
  PLM_CHECK(begin >= 0 && std::ssize(out) <= n_tokens() - begin);
  std::copy_n(tokens_.begin() + begin, out.size(), out.begin());
  return {};
}

std::vector<int64_t> MemoryTokens::document_starts(int64_t begin, int64_t end) const {
  const auto first = std::upper_bound(starts_.begin(), starts_.end(), begin);
  return {first, std::lower_bound(first, starts_.end(), end)};
}

std::string MemoryTokens::fingerprint() const {
  StableHash hash;
  hash.add(std::as_bytes(std::span(tokens_)));
  hash.add(std::as_bytes(std::span(starts_)));
  return hash.hex();
}

}  // namespace plm::train
