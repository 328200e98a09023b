// Which neurons fired, how often and how strongly, from numbers made by hand.
#include "inspect/firing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace plm::inspect {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Firing, CountsByLayerNeuronAndToken) {
  FiringCounter counter;
  // Four tokens of three neurons, in rows of four: what lies between rows is not looked at.
  const float first[] = {1, 0, 0, 9, 2, 0, 3, 9}, second[] = {0, 0, 5, 9, 7, 0, 0, 9};
  counter.trace()("ffn_act", 1, first, 2, 3, 4);
  counter.trace()("ffn_pre", 1, first, 2, 3, 4);
  counter.trace()("ffn_act", 1, second, 2, 3, 4);
  ASSERT_EQ(counter.layers().size(), 2U);
  EXPECT_EQ(counter.layers()[0].n_tokens, 0);
  EXPECT_EQ(counter.layers()[0].n_neurons(), 0);
  const LayerFiring& layer = counter.layers()[1];
  EXPECT_EQ(layer.n_tokens, 4);
  EXPECT_EQ(layer.fired_F, (std::vector<int64_t>{3, 0, 2}));
  EXPECT_EQ(layer.n_fired(), 5);
  EXPECT_DOUBLE_EQ(layer.zero_rate(), 7.0 / 12);
  EXPECT_DOUBLE_EQ(layer.share_never_firing(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(layer.share_firing_above(0.5), 1.0 / 3) << "half of the tokens is not more than half";
  EXPECT_DOUBLE_EQ(layer.share_firing_above(0.0), 2.0 / 3);
}

TEST(Firing, TheThresholdKeepsTheShareThatIsAsked) {
  FiringCounter counter;
  std::vector<float> numbers;
  for (int i = 1; i <= 1000; ++i) numbers.push_back(1e-4f * std::pow(1.02f, static_cast<float>(i)));
  for (int i = 0; i < 500; ++i) numbers.push_back(0);
  counter.trace()("ffn_act", 0, numbers.data(), 1, std::ssize(numbers), std::ssize(numbers));
  const LayerFiring& layer = counter.layers()[0];
  EXPECT_EQ(layer.threshold_keeping(1), 0.0f) << "all that fire";
  for (const double share : {0.9, 0.5, 0.1, 0.01}) {
    const float threshold = layer.threshold_keeping(share);
    const auto kept = std::count_if(numbers.begin(), numbers.end(), [&](float x) { return x > threshold; });
    EXPECT_NEAR(static_cast<double>(kept), 1000 * share, 1) << "neighbours differ by 2 %, sizes by less";
    EXPECT_LE(kept, std::lround(1000 * share));
  }
  EXPECT_EQ(layer.threshold_keeping(0), layer.threshold_keeping(1e-9));
  EXPECT_GE(layer.threshold_keeping(0), numbers[999]) << "nothing is above it";
}

TEST(Firing, ThresholdsAreFiniteWhateverTheNumbers) {
  FiringCounter counter;
  const float odd[] = {kInfinity,
                       std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::max(),
                       std::numeric_limits<float>::denorm_min(),
                       -1,
                       0};
  counter.trace()("ffn_act", 0, odd, 1, 6, 6);
  const LayerFiring& layer = counter.layers()[0];
  EXPECT_EQ(layer.n_fired(), 3) << "infinity, the largest and the smallest; not what is no number";
  for (const double share : {0.0, 0.4, 0.7, 1.0}) {
    EXPECT_TRUE(std::isfinite(layer.threshold_keeping(share))) << share;
    EXPECT_GE(layer.threshold_keeping(share), 0) << share;
  }
}

TEST(Firing, NothingSeenIsNothing) {
  const LayerFiring layer;
  EXPECT_EQ(layer.zero_rate(), 1);
  EXPECT_EQ(layer.share_never_firing(), 0);
  EXPECT_EQ(layer.threshold_keeping(0.5), 0);
  EXPECT_TRUE(FiringCounter().layers().empty());
}

}  // namespace
}  // namespace plm::inspect
