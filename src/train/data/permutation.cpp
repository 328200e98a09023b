#include "train/data/permutation.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "train/data/counter_random.h"

namespace plm::train {

namespace {

// Four rounds make a pseudorandom permutation of a good round function (Luby and Rackoff, 1988).
constexpr int kRounds = 4;

}  // namespace

Permutation::Permutation(int64_t size, uint64_t key) : size_(size), key_(key) {
  PLM_CHECK(size >= 1);
  const int bits = std::bit_width(static_cast<uint64_t>(size - 1));
  half_bits_ = std::max(1, (bits + 1) / 2);
}

int64_t Permutation::at(int64_t index) const {
  PLM_CHECK(index >= 0 && index < size_);
  const uint64_t half_mask = (uint64_t{1} << half_bits_) - 1;
  auto x = static_cast<uint64_t>(index);
  // The network permutes a power of four, less than four times the size. Numbers beyond the size are sent
  // through again; the way from one number below the size always comes back below it.
  do {
    uint64_t left = x >> half_bits_, right = x & half_mask;
    for (int round = 0; round < kRounds; ++round) {
      const uint64_t mixed = left ^ (random_at(key_ + static_cast<uint64_t>(round), right) & half_mask);
      left = right;
      right = mixed;
    }
    x = left << half_bits_ | right;
  } while (x >= static_cast<uint64_t>(size_));
  return static_cast<int64_t>(x);
}

}  // namespace plm::train
