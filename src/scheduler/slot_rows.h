// What a slot holds, apart from it: in memory, and in a file that outlives the process.
//
// A file is worth nothing to another model or another build, whose rows would be others: both are in its
// identity. Its layout, little endian: "PLMSLOT1", then as uint64 the identity, the number of tokens, how
// many of them are exact and the bytes of one token's rows; the token ids as int32; the rows, stream by
// stream; the XXH3 of all before as uint64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace plm::scheduler {

using tokenizer::TokenId;

struct SlotRows {
  std::vector<TokenId> tokens;
  int64_t n_exact = 0;          // the first of them that are exact (Reuse::exact)
  std::vector<std::byte> rows;  // [stream][token]
};

// What a file must fit to be read.
struct SlotShape {
  uint64_t identity = 0;  // of model and build
  int64_t bytes_per_token = 0, capacity = 0, vocabulary_size = 0;
};

// The XXH3 of a model's file, all of it. May be called while an engine runs it.
uint64_t hash_of(const gguf::File& file);

// The same of the file's size, its head and bytes from here and there: at once, for a name. Files that differ
// in little may share it.
uint64_t quick_hash_of(const gguf::File& file);

// From that hash, and the rows and logits of some tokens that the engine runs, in which adapters, cache type
// and kernels show. What the engine ran before makes no difference.
Result<SlotShape> slot_shape(runtime::Engine& engine, uint64_t file_hash);

// Returns the bytes written. The file is there in whole or as it was before.
Result<int64_t> write_slot_file(const std::string& path, const SlotShape& shape, const SlotRows& rows);

struct SlotFile {
  SlotRows rows;
  int64_t n_bytes = 0;
};
// Fails with not_found, and with bad_data on a file that is none, is damaged, belongs to another model or
// build, or holds more than the context.
Result<SlotFile> read_slot_file(const std::string& path, const SlotShape& shape);
// The same of bytes; `path` is for errors.
Result<SlotFile> parse_slot_file(std::span<const std::byte> bytes, const std::string& path,
                                 const SlotShape& shape);

}  // namespace plm::scheduler
