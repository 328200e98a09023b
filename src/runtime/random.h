// The random numbers of sampling: the same sequence from the same seed with every compiler and library,
// which std::mt19937 promises and std::uniform_real_distribution does not.
#pragma once

#include <bit>
#include <cstdint>

namespace plm::runtime {

// xoshiro256** 1.0 (Blackman, Vigna), its state filled by splitmix64. Not for secrets.
class RandomGenerator {
 public:
  explicit RandomGenerator(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // In [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_[4];
};

}  // namespace plm::runtime
