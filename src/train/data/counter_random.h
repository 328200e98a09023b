// Random numbers without a stream: each is a function of a key and a counter, so that any one of them can be
// had at any time. The same on every machine and in every version: checkpoints depend on it.
#pragma once

#include <cstdint>

namespace plm::train {

// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
constexpr uint64_t scramble(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// combine_keys(seed, phase, ...): a key for each combination.
constexpr uint64_t combine_keys(uint64_t key) { return scramble(key); }
template <class... More>
constexpr uint64_t combine_keys(uint64_t key, uint64_t next, More... more) {
  return combine_keys(scramble(key) ^ next, static_cast<uint64_t>(more)...);
}

// The number of a key at a counter.
constexpr uint64_t random_at(uint64_t key, uint64_t counter) {
  return scramble(scramble(key ^ counter) + key);
}

// The same in 0 .. limit - 1 (limit >= 1), by the upper half of the 128-bit product.
inline uint64_t random_below(uint64_t key, uint64_t counter, uint64_t limit) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(static_cast<Wide>(random_at(key, counter)) * limit >> 64);
}

}  // namespace plm::train
