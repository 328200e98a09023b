// The layout of a token shard, for its reader and its writer: docs/formats/token-shards.md. All numbers are
// little-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plm::train::shard_format {

constexpr std::string_view kMagic = "PLMSHARD";
constexpr uint32_t kVersion = 1;
constexpr size_t kBlockBytes = 64 * 1024;

struct Header {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t token_bytes;
  uint64_t n_tokens;
  uint64_t n_documents;
  uint64_t vocabulary_size;
  uint64_t tokenizer_low, tokenizer_high;
  uint64_t tail_checksum;  // of all bytes after the tokens
  std::array<uint8_t, 56> zeros;
  uint64_t header_checksum;  // of the bytes before it
};
static_assert(sizeof(Header) == 128);

constexpr uint64_t round_up(uint64_t n, uint64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

}  // namespace plm::train::shard_format
