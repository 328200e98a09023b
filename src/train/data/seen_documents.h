// Which texts have been met already, by their 128-bit hashes: two of a trillion different texts share one
// with a probability of 10^-15.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "train/data/stable_hash.h"

namespace plm::train {

// 16 bytes a text, in a table that is at most half full.
class SeenDocuments {
 public:
  // False when it has been inserted before.
  bool insert(Hash128 hash) {
    if (hash == Hash128{}) return !std::exchange(has_zero_, true);
    if (2 * (n_ + 1) > slots_.size()) grow();
    return insert_into(slots_, hash) && ++n_ > 0;
  }

 private:
  static bool insert_into(std::vector<Hash128>& slots, Hash128 hash) {
    size_t at = hash.low & (slots.size() - 1);
    while (slots[at] != Hash128{}) {
      if (slots[at] == hash) return false;
      at = (at + 1) & (slots.size() - 1);
    }
    slots[at] = hash;
    return true;
  }

  void grow() {
    std::vector<Hash128> larger(slots_.empty() ? 1024 : 2 * slots_.size());
    for (const Hash128& hash : slots_) {
      if (hash != Hash128{}) insert_into(larger, hash);
    }
    slots_ = std::move(larger);
  }

  std::vector<Hash128> slots_;  // all zeros: empty
  size_t n_ = 0;
  bool has_zero_ = false;
};

}  // namespace plm::train
