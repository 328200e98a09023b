// The shape of the saved rows that fuzz_saved_rows reads and make_seeds writes.
#pragma once

#include "scheduler/slot_rows.h"

namespace plm::scheduler {

inline constexpr SlotShape kFuzzShape = {
    .identity = 7, .bytes_per_token = 8, .capacity = 1000, .vocabulary_size = 500};

}  // namespace plm::scheduler
