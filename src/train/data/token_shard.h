// A file of tokens that is mapped and read at any place: docs/formats/token-shards.md.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "train/data/stable_hash.h"
#include "train/data/token_stream.h"

namespace plm::train {

struct ShardHeader {
  int64_t n_tokens = 0;
  int64_t n_documents = 0;
  int64_t vocabulary_size = 0;  // every token is below it
  int token_bytes = 2;          // 2 up to 65,536 tokens in the vocabulary, else 4
  Hash128 tokenizer = {};       // fingerprint of what made the tokens (tokenizer_fingerprint.h)
};

// Does not change; all functions may be called from several threads. Header, borders and checksums are
// checked when it is opened, tokens when they are first read, in blocks of 64 KiB.
class TokenShard {
 public:
  static Result<TokenShard> open(const std::string& path);
  // The same from memory that outlives the shard; `name` is for messages.
  static Result<TokenShard> parse(std::span<const std::byte> bytes, const std::string& name);

  const ShardHeader& header() const { return header_; }
  const std::string& name() const { return name_; }
  // Of the whole contents: it covers header, borders and the checksums of the tokens.
  uint64_t checksum() const { return checksum_; }

  // begin .. begin + out.size() - 1 must exist. Fails with bad_data where a block does not meet its checksum.
  Status read(int64_t begin, std::span<int64_t> out) const;
  // Where document i begins, 0 <= i < n_documents: ascending, the first 0. No document is empty.
  int64_t document_start(int64_t i) const;
  // Checks all tokens.
  Status verify() const;

 private:
  TokenShard() = default;
  Status check_block(int64_t block) const;
  int64_t token_at(int64_t index) const;

  std::string name_;
  std::optional<MappedFile> file_;
  ShardHeader header_;
  uint64_t checksum_ = 0;
  std::span<const std::byte> tokens_, documents_, checksums_;
  std::unique_ptr<std::atomic<bool>[]> block_is_good_;
};

// Writes a shard, atomically: there is no file before finish().
class TokenShardWriter {
 public:
  static Result<TokenShardWriter> create(const std::string& path, int64_t vocabulary_size, Hash128 tokenizer);

  // One document. An empty one is left out. Every token must be at least 0 and below vocabulary_size.
  Status append(std::span<const int32_t> document);
  int64_t n_tokens() const { return header_.n_tokens; }
  int64_t n_documents() const { return header_.n_documents; }

  Status finish();

 private:
  explicit TokenShardWriter(AtomicFile file) : file_(std::move(file)) {}
  Status flush_block();

  AtomicFile file_;
  ShardHeader header_;
  std::vector<std::byte> block_;
  std::vector<uint64_t> starts_, checksums_;
};

// The tokens of several shards as one stream.
class ShardStream : public TokenStream {
 public:
  // All of the same tokenizer, else fails with bad_data and the names of two that differ.
  static Result<std::unique_ptr<ShardStream>> open(const std::vector<std::string>& paths);

  int64_t n_tokens() const override { return first_token_.back(); }
  Status read(int64_t begin, std::span<int64_t> out) const override;
  std::vector<int64_t> document_starts(int64_t begin, int64_t end) const override;
  std::string fingerprint() const override;
  std::span<const TokenShard> shards() const { return shards_; }

 private:
  ShardStream() = default;
  size_t shard_of(int64_t token) const;

  std::vector<TokenShard> shards_;
  std::vector<int64_t> first_token_ = {0};  // of each shard, and the number of all tokens at the end
};

}  // namespace plm::train
