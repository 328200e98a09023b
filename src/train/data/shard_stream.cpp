#include <algorithm>

#include "train/data/token_shard.h"

namespace plm::train {

Result<std::unique_ptr<ShardStream>> ShardStream::open(const std::vector<std::string>& paths) {
  std::unique_ptr<ShardStream> stream(new ShardStream);
  for (const auto& path : paths) {
    PLM_TRY(TokenShard shard, TokenShard::open(path));
    if (!stream->shards_.empty()) {
      const TokenShard& first = stream->shards_.front();
      if (shard.header().tokenizer != first.header().tokenizer ||
          shard.header().vocabulary_size != first.header().vocabulary_size) {
        return make_error(ErrorKind::bad_data, "{}: made with another tokenizer than {}", path, first.name());
      }
    }
    stream->first_token_.push_back(stream->first_token_.back() + shard.header().n_tokens);
    stream->shards_.push_back(std::move(shard));
  }
  return stream;
}

size_t ShardStream::shard_of(int64_t token) const {
  const auto after = std::upper_bound(first_token_.begin(), first_token_.end(), token);
  return static_cast<size_t>(after - first_token_.begin()) - 1;
}

Status ShardStream::read(int64_t begin, std::span<int64_t> out) const {
  PLM_CHECK(begin >= 0 && std::ssize(out) <= n_tokens() - begin);
  while (!out.empty()) {
    const size_t i = shard_of(begin);
    const auto n = static_cast<size_t>(std::min<int64_t>(std::ssize(out), first_token_[i + 1] - begin));
    PLM_TRY_STATUS(shards_[i].read(begin - first_token_[i], out.first(n)));
    begin += static_cast<int64_t>(n);
    out = out.subspan(n);
  }
  return {};
}

std::vector<int64_t> ShardStream::document_starts(int64_t begin, int64_t end) const {
  std::vector<int64_t> starts;
  if (begin + 1 >= end) return starts;
  for (size_t i = shard_of(begin); i < shards_.size() && first_token_[i] < end; ++i) {
    const TokenShard& shard = shards_[i];
    int64_t low = 0, high = shard.header().n_documents;  // the first document that begins after `begin`
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (first_token_[i] + shard.document_start(middle) > begin) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    for (; low < shard.header().n_documents; ++low) {
      const int64_t start = first_token_[i] + shard.document_start(low);
      if (start >= end) break;
      starts.push_back(start);
    }
  }
  return starts;
}

std::string ShardStream::fingerprint() const {
  StableHash hash;
  for (const auto& shard : shards_) hash.add_number(shard.checksum());
  return hash.hex();
}

}  // namespace plm::train
