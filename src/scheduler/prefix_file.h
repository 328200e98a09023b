// The store of earlier prompts in a file, so that it outlives the process.
//
// Taken only by the model and build that wrote it, as a saved slot (slot_rows.h). Layout, little endian:
// "PLMPREF1", then as uint64 the identity, the bytes of one token's rows, the number of pages; the pages, the
// last used first: parent as int64, number of tokens as uint32, whether it is exact as uint32, the token ids
// as int32, the rows stream by stream; the XXH3 of all before as uint64.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "scheduler/prefix_store.h"
#include "scheduler/slot_rows.h"

namespace plm::scheduler {

// Returns the bytes written. The file is there in whole or as it was before.
Result<int64_t> write_prefix_file(const std::string& path, const SlotShape& shape,
                                  std::span<const PrefixStore::KeptPage> pages);

// The pages, as many as `budget_bytes` of rows have room for, ready for PrefixStore::restore. Fails with
// not_found, and with bad_data on a file that is none, is damaged, or belongs to another model or build.
Result<std::vector<PrefixStore::KeptPage>> read_prefix_file(const std::string& path, const SlotShape& shape,
                                                            int64_t budget_bytes);
// The same of bytes; `path` is for errors.
Result<std::vector<PrefixStore::KeptPage>> parse_prefix_file(std::span<const std::byte> bytes,
                                                             const std::string& path, const SlotShape& shape,
                                                             int64_t budget_bytes);

// Whether the file begins as one of these: it may be written over. Also where there is none.
bool may_become_prefix_file(const std::string& path);

}  // namespace plm::scheduler
