// The gate of SwiGLU, for every instruction set.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bounds.h"
#include "guarded.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

class Silu : public testing::TestWithParam<Isa> {
 protected:
  const Kernels kernels = *select_kernels(isa_name(GetParam()));

  void expect_near_exact(const GuardedArray<float>& gate, const GuardedArray<float>& up) {
    const std::vector<float> before(gate.begin(), gate.end());
    kernels.silu_multiply(gate.data(), up.data(), gate.size());
    for (int64_t i = 0; i < gate.size(); ++i) {
      const double g = before[static_cast<size_t>(i)];
      const double exact = g / (1 + std::exp(-g)) * up[i];
      // Four units for the exponential (its argument is exact), then sum, quotient and product. Below
      // -88 the exponential stays what it is at 88, and g over that is nothing beside any activation.
      const double lost = g < -87 ? std::fabs(g) * std::exp(-87.0) : kSmallestNormal;
      ASSERT_NEAR(gate[i], exact, gamma(8) * std::fabs(exact) + lost * std::fabs(up[i])) << g;
    }
  }
};

TEST_P(Silu, IsWithinItsBoundForAnyLength) {
  Random random(800);
  for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 1000}) {
    SCOPED_TRACE(n);
    const GuardedArray<float> gate(n), up(n);
    for (float& x : gate) x = uniform(random, -12, 12);
    for (float& x : up) x = uniform(random, -3, 3);
    expect_near_exact(gate, up);
  }
}

TEST_P(Silu, HoldsForNumbersOfAnySize) {
  const std::vector<float> sizes = {0.0f,  1e-30f, 1e-7f, 1e-3f,  1.0f, 20.0f,
                                    86.0f, 88.0f,  90.0f, 105.0f, 1e4f, 1e30f};
  const GuardedArray<float> gate(2 * static_cast<int64_t>(sizes.size())), up(gate.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    gate[static_cast<int64_t>(2 * i)] = sizes[i];
    gate[static_cast<int64_t>(2 * i + 1)] = -sizes[i];
  }
  for (float& x : up) x = 0.75f;
  expect_near_exact(gate, up);
}

INSTANTIATE_TEST_SUITE_P(All, Silu, testing::ValuesIn(available_isas()),
                         [](const auto& one) { return std::string(isa_name(one.param)); });

}  // namespace
}  // namespace plm::kernels::test
