// A random order of 0 .. size - 1 that needs no table: a trillion rows are shuffled in a few bytes.
#pragma once

#include <cstdint>

namespace plm::train {

class Permutation {
 public:
  // size >= 1. Another key is another order.
  Permutation(int64_t size, uint64_t key);

  // What stands at `index` (0 <= index < size); each number once.
  int64_t at(int64_t index) const;

 private:
  int64_t size_;
  uint64_t key_;
  int half_bits_;  // of the two halves of a number that a Feistel network mixes
};

}  // namespace plm::train
