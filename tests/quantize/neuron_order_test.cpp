#include "quantize/neuron_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace plm::quantize {
namespace {

constexpr int64_t kTokens = 64 * kFiringWords;

// Four groups of 32 neurons, scattered: those of a group fire at the same tokens, one in eight.
std::vector<uint64_t> scattered_groups() {
  std::mt19937_64 random(1);
  std::vector<uint64_t> firing(128 * kFiringWords);
  for (size_t word = 0; word < kFiringWords; ++word) {
    for (size_t group = 0; group < 4; ++group) {
      uint64_t bits = random();
      bits &= random();
      bits &= random();
      for (size_t i = 0; i < 32; ++i) firing[(4 * i + group) * kFiringWords + word] = bits;
    }
  }
  return firing;
}

TEST(NeuronOrder, BringsTogetherWhatFiresTogether) {
  const std::vector<uint64_t> firing = scattered_groups();
  std::vector<int32_t> plain(128);
  std::iota(plain.begin(), plain.end(), 0);
  const std::vector<int32_t> order = order_neurons(firing, 128);
  EXPECT_NEAR(live_block_share(firing, plain, kTokens), 0.41, 0.02);  // 1 - (7/8)^4
  EXPECT_NEAR(live_block_share(firing, order, kTokens), 0.125, 0.01);
}

TEST(NeuronOrder, NamesEveryNeuronOnce) {
  for (const int64_t n : {1, 31, 33, 100}) {
    std::vector<uint64_t> firing(static_cast<size_t>(n * kFiringWords));
    for (size_t i = 0; i < firing.size(); i += 3) firing[i] = i;
    std::vector<int32_t> order = order_neurons(firing, n);
    std::sort(order.begin(), order.end());
    std::vector<int32_t> all(static_cast<size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(order, all) << n;
  }
}

}  // namespace
}  // namespace plm::quantize
