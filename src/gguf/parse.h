// From the bytes of one GGUF file to its checked contents. Internal to the folder: File is the way in.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "gguf/gguf_file.h"

namespace plm::gguf {

struct ParsedShard {
  uint32_t version = 0;
  uint64_t alignment = 0;
  std::vector<KeyValue> metadata;
  std::vector<uint32_t> metadata_by_key;  // positions sorted by key, no two equal
  std::vector<TensorInfo> tensors;        // their data lies within `bytes`, aligned, without overlap;
                                          // that their names differ is for the File to see
};

// Errors do not name the file. Tensors get the number `shard`. Views refer to `bytes`.
Result<ParsedShard> parse_shard(std::span<const std::byte> bytes, int shard);

// Positions of `names` in sorted order. The error names the first that occurs twice.
Result<std::vector<uint32_t>> sort_unique(std::span<const std::string_view> names, std::string_view what);

// The value of a key in metadata sorted as in ParsedShard; null when absent.
const Value* find_value(std::span<const KeyValue> metadata, std::span<const uint32_t> by_key,
                        std::string_view key);

}  // namespace plm::gguf
