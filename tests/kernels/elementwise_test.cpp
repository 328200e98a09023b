// Norm, rotation, squared ReLU, live lists and the rounding of inputs, for every instruction set.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "bounds.h"
#include "guarded.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
const std::vector<int64_t> kLengths = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 65, 250, 2048};

class Elementwise : public testing::TestWithParam<Isa> {
 protected:
  const uint64_t seed = 300;
  Random random{seed};
  testing::ScopedTrace trace{__FILE__, __LINE__, fmt::format("seed {}", seed)};
  const Kernels kernels = *select_kernels(isa_name(GetParam()));

  void fill(const GuardedArray<float>& x, float low, float high) {
    for (float& v : x) v = uniform(random, low, high);
  }
};

TEST_P(Elementwise, RmsNormIsWithinItsBound) {
  for (const int64_t n : kLengths) {
    for (const float size : {1e-12f, 1.0f, 1e6f}) {
      SCOPED_TRACE(fmt::format("{} numbers of size {}", n, size));
      const GuardedArray<float> x(n), weight(n), out(n);
      fill(x, -size, size);
      fill(weight, -2, 2);
      const float epsilon = 1e-6f;
      double sum = 0;
      for (const float v : x) sum += static_cast<double>(v) * v;
      const double scale = 1 / std::sqrt(sum / static_cast<double>(n) + static_cast<double>(epsilon));
      kernels.rms_norm(x.data(), weight.data(), n, epsilon, out.data());
      for (int64_t i = 0; i < n; ++i) {
        const double exact = scale * x[i] * weight[i];
        // A sum of squares has no cancellation: relative error gamma(n), halved by the root; then the
        // mean, epsilon, root, inverse and two products.
        ASSERT_NEAR(out[i], exact, gamma(n / 2 + 7) * std::fabs(exact) + kSmallestNormal) << i;
      }
      kernels.rms_norm(x.data(), weight.data(), n, epsilon, x.data());
      ASSERT_EQ(std::memcmp(x.data(), out.data(), static_cast<size_t>(n) * sizeof(float)), 0) << "in place";
    }
  }
}

TEST_P(Elementwise, RmsNormOfZerosIsZero) {
  const GuardedArray<float> x(33), weight(33), out(33);
  fill(weight, 1, 2);
  kernels.rms_norm(x.data(), weight.data(), 33, 1e-6f, out.data());
  for (const float v : out) EXPECT_EQ(v, 0);
}

TEST_P(Elementwise, RopeTurnsEachPair) {
  for (const int64_t n : {2, 4, 6, 8, 14, 16, 18, 32, 34, 64, 130}) {
    const GuardedArray<float> x(n), cos_sin(n);
    fill(x, -5, 5);
    for (int64_t i = 0; i < n; i += 2) {
      const float angle = uniform(random, -100, 100);
      cos_sin[i] = std::cos(angle);
      cos_sin[i + 1] = std::sin(angle);
    }
    const std::vector<double> before(x.begin(), x.end());
    kernels.rope(x.data(), n, cos_sin.data());
    for (int64_t i = 0; i < n; i += 2) {
      const double a = before[static_cast<size_t>(i)], b = before[static_cast<size_t>(i + 1)];
      const double c = cos_sin[i], s = cos_sin[i + 1];
      const double first_size = std::fabs(a * c) + std::fabs(b * s);
      const double second_size = std::fabs(a * s) + std::fabs(b * c);
      ASSERT_NEAR(x[i], a * c - b * s, gamma(2) * first_size) << n << " numbers, pair at " << i;
      ASSERT_NEAR(x[i + 1], a * s + b * c, gamma(2) * second_size) << n << " numbers, pair at " << i;
    }
  }
}

TEST_P(Elementwise, Relu2SquaresWhatIsPositiveAndCountsIt) {
  for (const int64_t n : kLengths) {
    for (const float low : {-1.0f, -30.0f, 0.5f, -2.0f}) {
      const GuardedArray<float> x(n);
      fill(x, low, low == -2.0f ? -1.0f : 1.0f);  // some, few, all, none live
      const std::vector<float> before(x.begin(), x.end());
      const int64_t live = kernels.relu2(x.data(), n, 0);
      int64_t expected = 0;
      for (int64_t i = 0; i < n; ++i) {
        const float v = before[static_cast<size_t>(i)];
        const float square = v > 0 ? v * v : 0.0f;
        expected += square > 0;
        ASSERT_EQ(std::bit_cast<uint32_t>(x[i]), std::bit_cast<uint32_t>(square)) << i << " of " << n;
      }
      EXPECT_EQ(live, expected);
    }
  }
}

TEST_P(Elementwise, Relu2OfOddNumbersIsZeroOrInfinite) {
  const GuardedArray<float> x(6);
  const float odd[] = {-0.0f, kNan, -kInfinity, kInfinity, 1e-30f, 0.0f};
  std::copy(odd, odd + 6, x.begin());
  EXPECT_EQ(kernels.relu2(x.data(), 6, 0), 1);  // 1e-30 squared is no float32
  for (const int64_t i : {0, 1, 2, 4, 5}) EXPECT_EQ(std::bit_cast<uint32_t>(x[i]), 0u) << i;
  EXPECT_EQ(x[3], kInfinity);
}

TEST_P(Elementwise, Relu2DropsSquaresThatAreNotAboveTheThreshold) {
  for (const int64_t n : kLengths) {
    for (const float threshold : {1e-20f, 0.25f, 0.5f, std::numeric_limits<float>::max()}) {
      SCOPED_TRACE(fmt::format("{} numbers, threshold {}", n, threshold));
      const GuardedArray<float> x(n);
      fill(x, -1, 2);
      x[random() % static_cast<uint64_t>(n)] = 0.5f;  // its square is one of the thresholds: not above it
      if (n > 8) x[n - 1] = kNan;
      if (n > 8) x[n - 2] = kInfinity;
      const std::vector<float> before(x.begin(), x.end());
      const int64_t live = kernels.relu2(x.data(), n, threshold);
      int64_t expected = 0;
      for (int64_t i = 0; i < n; ++i) {
        const float v = before[static_cast<size_t>(i)];
        const float square = v > 0 && v * v > threshold ? v * v : 0.0f;
        expected += square > 0;
        ASSERT_EQ(std::bit_cast<uint32_t>(x[i]), std::bit_cast<uint32_t>(square)) << i;
      }
      EXPECT_EQ(live, expected);
    }
  }
}

TEST_P(Elementwise, ListLiveNamesThePositiveNumbersInOrder) {
  std::vector<int64_t> lengths = kLengths;
  lengths.push_back(0);
  for (const int64_t n : lengths) {
    for (const int live_in_ten : {0, 1, 5, 10}) {
      SCOPED_TRACE(fmt::format("{} numbers, {} of 10 live", n, live_in_ten));
      const GuardedArray<float> x(n), value(n);
      const GuardedArray<int32_t> index(n);
      for (float& v : x) {
        const bool live = static_cast<int>(random() % 10) < live_in_ten;
        v = live ? uniform(random, 1e-20f, 4.0f) : uniform(random, -1, 0);
        if (!live && random() % 3 == 0) v = random() % 2 == 0 ? 0.0f : kNan;
      }
      const int64_t count = kernels.list_live(x.data(), n, index.data(), value.data());
      int64_t at = 0;
      for (int64_t i = 0; i < n; ++i) {
        if (!(x[i] > 0)) continue;
        ASSERT_LT(at, count);
        ASSERT_EQ(index[at], i);
        ASSERT_EQ(value[at], x[i]);
        ++at;
      }
      EXPECT_EQ(count, at);
    }
  }
}

// The numbers of one token, prepared by a kernel, taken apart and put together again.
class QuantizeToken : public Elementwise {
 protected:
  void expect_rounded(const GuardedArray<float>& x, Precision precision) {
    const int64_t n_tokens = 3, token = 1, width = x.size();
    SCOPED_TRACE(fmt::format("width {}, {}", width, precision == Precision::fine ? "fine" : "coarse"));
    Activations ours = *Activations::allocate(n_tokens, width);
    Activations theirs = *Activations::allocate(n_tokens, width);
    ours.begin(nullptr, n_tokens, width, width, precision);
    theirs.begin(nullptr, n_tokens, width, width, precision);
    std::memset(ours.storage.data(), 0x55, ours.storage.size());
    std::memset(theirs.storage.data(), 0x55, theirs.storage.size());
    kernels.quantize_token(x.data(), ours, token);
    select_kernels("reference")->quantize_token(x.data(), theirs, token);
    // The same operations of IEEE arithmetic give the same bits, and no other token is touched.
    ASSERT_EQ(std::memcmp(ours.storage.data(), theirs.storage.data(), ours.storage.size()), 0);
    for (int64_t block = 0; block < ours.n_blocks(); ++block) expect_block(x, ours, block, token);
    expect_blocks_the_same(x, theirs, token);
  }

  // In two calls, for the last two of the tokens, of which only one has been prepared in `whole`.
  void expect_blocks_the_same(const GuardedArray<float>& x, const Activations& whole, int64_t token) {
    Activations parts = *Activations::allocate(whole.n_tokens, x.size());
    parts.begin(nullptr, whole.n_tokens, x.size(), x.size(), whole.precision);
    std::memset(parts.storage.data(), 0x55, parts.storage.size());
    const int64_t middle = parts.n_blocks() / 2;
    for (const auto& [begin, end] : {std::pair{middle, parts.n_blocks()}, std::pair{int64_t{0}, middle}}) {
      kernels.quantize_blocks({.x = x.data() + 32 * begin,
                               .x_stride = 0,
                               .n_tokens = 2,
                               .first_token = token,
                               .first_block = begin,
                               .n_blocks = end - begin,
                               .out = &parts});
    }
    for (int64_t block = 0; block < parts.n_blocks(); ++block) {
      for (int64_t t = token; t < token + 2; ++t) expect_block(x, parts, block, t);
      const int64_t at = block * parts.pitch + token;
      ASSERT_EQ(std::memcmp(parts.high + 32 * at, whole.high + 32 * at, 32), 0) << "block " << block;
      ASSERT_EQ(parts.scale[at], whole.scale[at]) << "block " << block;
    }
  }

  void expect_block(const GuardedArray<float>& x, const Activations& a, int64_t block, int64_t token) {
    const int64_t at = block * a.pitch + token;
    double largest = 0;
    for (int64_t i = 32 * block; i < std::min(x.size(), 32 * block + 32); ++i) {
      largest = std::max<double>(largest, std::fabs(x[i]));
    }
    int64_t sums[2] = {0, 0};
    for (int64_t i = 0; i < 32; ++i) {
      const int q = rounded_integer(a, 32 * at + i);
      sums[i / 16] += q;
      const int64_t k = 32 * block + i;
      if (k >= x.size() || a.scale[at] == 0) {
        ASSERT_EQ(q, 0) << "number " << k;
        ASSERT_LE(k < x.size() ? std::fabs(x[k]) : 0.0f, 1e-30f) << "number " << k;
      } else {
        ASSERT_NEAR(static_cast<double>(a.scale[at]) * q, x[k], input_rounding(a.scale[at], largest)) << k;
      }
    }
    EXPECT_EQ(a.half_sum[2 * at], sums[0]);
    EXPECT_EQ(a.half_sum[2 * at + 1], sums[1]);
    const double levels = a.precision == Precision::fine ? 32512 : 127;
    EXPECT_LE(a.scale[at], largest / levels * (1 + 2 * kUnitRoundoff));
  }
};

TEST_P(QuantizeToken, IsWithinHalfAStep) {
  for (const int64_t width : {1, 15, 16, 17, 31, 32, 33, 48, 64, 70, 100, 576, 2048}) {
    for (const float size : {1e-25f, 1.0f, 1e30f}) {
      const GuardedArray<float> x(width);
      fill(x, -size, size);
      expect_rounded(x, Precision::fine);
      expect_rounded(x, Precision::coarse);
    }
  }
}

TEST_P(QuantizeToken, TakesZerosDenormalsAndTheLargestNumbers) {
  const float largest = std::numeric_limits<float>::max();
  for (const float size : {0.0f, -0.0f, std::numeric_limits<float>::denorm_min(), 1e-38f, 9e-31f, 1.1e-30f,
                           2e-30f, largest, -largest}) {
    for (const int64_t width : {5, 32, 90}) {
      const GuardedArray<float> x(width);
      for (float& v : x) v = random() % 3 == 0 ? size : uniform(random, -0.5f, 0.5f) * size;
      expect_rounded(x, Precision::fine);
      expect_rounded(x, Precision::coarse);
    }
  }
}

// Halfway between two integers, and where the high plane is rounded up.
TEST_P(QuantizeToken, RoundsTiesAlikeOnEveryInstructionSet) {
  const GuardedArray<float> fine(64), coarse(64);
  for (int64_t i = 0; i < 64; ++i) {
    fine[i] = (i % 2 == 0 ? 1.0f : -1.0f) * (static_cast<float>(127 + 128 * i) + 0.5f) / 4;
    coarse[i] = (i % 2 == 0 ? 1.0f : -1.0f) * (static_cast<float>(i) + 0.5f);
  }
  fine[0] = fine[32] = 32512 / 4.0f;
  coarse[0] = coarse[32] = 127;
  expect_rounded(fine, Precision::fine);
  expect_rounded(coarse, Precision::coarse);
}

const auto kName = [](const auto& one) { return test_name(isa_name(one.param)); };
INSTANTIATE_TEST_SUITE_P(All, Elementwise, testing::ValuesIn(available_isas()), kName);
INSTANTIATE_TEST_SUITE_P(All, QuantizeToken, testing::ValuesIn(available_isas()), kName);

}  // namespace
}  // namespace plm::kernels::test
