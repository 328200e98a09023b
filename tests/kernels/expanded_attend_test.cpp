// Attention over expanded keys and values, for every instruction set: masks, running softmax, both
// precisions.
#include <fmt/format.h>

#include <cstring>

#include "attention_bounds.h"
#include "guarded.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

struct Shape {
  int64_t n_tokens, n_rows, key_width, value_width;
};

struct State {
  State(int64_t n_tokens, int64_t value_width)
      : stride(value_width + 5),
        out((n_tokens - 1) * stride + value_width),
        maximum(n_tokens),
        sum(n_tokens) {
    for (float& v : maximum) v = -std::numeric_limits<float>::infinity();
  }

  std::vector<float> token(int64_t t, int64_t value_width) const {
    return {out.data() + t * stride, out.data() + t * stride + value_width};
  }

  int64_t stride;
  GuardedArray<float> out, maximum, sum;
};

class ExpandedAttend : public testing::TestWithParam<std::tuple<Isa, bool>> {
 protected:
  const Isa isa = std::get<0>(GetParam());
  const bool exact = std::get<1>(GetParam());
  const uint64_t seed = 500;
  Random random{seed};
  testing::ScopedTrace trace{__FILE__, __LINE__, fmt::format("seed {}", seed)};
  const Kernels kernels = *select_kernels(isa_name(isa));

  // With bf16 products both sides are rounded.
  ProductRounding rounding() const {
    const double both = 2 * kBf16Roundoff + kBf16Roundoff * kBf16Roundoff;
    return exact || (isa != Isa::avx512_bf16 && isa != Isa::amx) ? ProductRounding{}
                                                                 : ProductRounding{both, both};
  }

  struct Operands {
    Operands(const Shape& shape, Random& random)
        : q_stride(shape.key_width + 1),
          k_stride(shape.key_width + 3),
          v_stride(shape.value_width + 2),
          q((shape.n_tokens - 1) * q_stride + shape.key_width),
          k((shape.n_rows - 1) * k_stride + shape.key_width),
          v((shape.n_rows - 1) * v_stride + shape.value_width) {
      const float size = 6.0f / std::sqrt(static_cast<float>(shape.key_width));
      for (float& x : q) x = uniform(random, -size, size);
      for (float& x : k) x = uniform(random, -2, 2);
      for (float& x : v) x = uniform(random, -2, 2);
    }
    int64_t q_stride, k_stride, v_stride;
    GuardedArray<float> q, k, v;
  };

  void attend(const Shape& shape, const Operands& in, int64_t row_begin, int64_t row_end,
              int64_t first_position, int64_t first_key_position, const State& state) const {
    const auto scratch_bytes =
        static_cast<size_t>(expanded_attend_scratch_bytes(shape.key_width, shape.value_width));
    const GuardedBytes scratch(scratch_bytes, 64);
    std::memset(scratch.data(), 0xff, scratch_bytes);
    kernels.expanded_attend({.q_TQ = in.q.data(),
                             .q_stride = in.q_stride,
                             .n_tokens = shape.n_tokens,
                             .key_width = shape.key_width,
                             .value_width = shape.value_width,
                             .k_SQ = in.k.data() + row_begin * in.k_stride,
                             .k_stride = in.k_stride,
                             .v_SV = in.v.data() + row_begin * in.v_stride,
                             .v_stride = in.v_stride,
                             .n_rows = row_end - row_begin,
                             .first_position = first_position,
                             .first_key_position = first_key_position + row_begin,
                             .out_TV = state.out.data(),
                             .out_stride = state.stride,
                             .max_T = state.maximum.data(),
                             .sum_T = state.sum.data(),
                             .exact = exact,
                             .scratch = scratch.data()});
  }

  // The exact answer of token t over its first `visible` rows.
  ExactAttention answer(const Shape& shape, const Operands& in, int64_t t, int64_t visible) const {
    ExactAttention result(static_cast<size_t>(shape.value_width));
    for (int64_t s = 0; s < visible; ++s) {
      double score = 0, size = 0;
      for (int64_t i = 0; i < shape.key_width; ++i) {
        const double product = static_cast<double>(in.q[t * in.q_stride + i]) * in.k[s * in.k_stride + i];
        score += product;
        size += std::fabs(product);
      }
      const float* value = in.v.data() + s * in.v_stride;
      result.add(score, size, shape.key_width, std::vector<float>(value, value + shape.value_width),
                 rounding());
    }
    return result;
  }

  // key_lead: how far the first row's position is after the first token's.
  void expect_near_exact(const Shape& shape, int64_t key_lead, bool continued) {
    SCOPED_TRACE(fmt::format("{} tokens, {} rows, {} and {} wide, keys lead by {}, {}", shape.n_tokens,
                             shape.n_rows, shape.key_width, shape.value_width, key_lead,
                             continued ? "continued" : "started"));
    const int64_t V = shape.value_width;
    const Operands in(shape, random);
    const State state(shape.n_tokens, V);
    if (continued) {
      for (float& x : state.out) x = uniform(random, -20, 20);
      for (float& x : state.maximum) x = uniform(random, -8, 8);
      for (float& x : state.sum) x = uniform(random, 1, 9);
    }
    const std::vector<float> out_before(state.out.begin(), state.out.end());
    const std::vector<float> max_before(state.maximum.begin(), state.maximum.end());
    const std::vector<float> sum_before(state.sum.begin(), state.sum.end());
    const int64_t first_position = 1000;
    attend(shape, in, 0, shape.n_rows, first_position, first_position + key_lead, state);
    for (int64_t t = 0; t < shape.n_tokens; ++t) {
      SCOPED_TRACE(fmt::format("token {}", t));
      const auto at = static_cast<size_t>(t);
      const std::vector<float> old(out_before.begin() + t * state.stride,
                                   out_before.begin() + t * state.stride + V);
      const int64_t visible = std::clamp<int64_t>(t - key_lead + 1, 0, shape.n_rows);
      if (visible == 0) {
        EXPECT_EQ(state.maximum[t], max_before[at]);
        EXPECT_EQ(state.sum[t], sum_before[at]);
        EXPECT_EQ(state.token(t, V), old);
        continue;
      }
      ExactAttention expected = answer(shape, in, t, visible);
      if (continued) expected.start(max_before[at], sum_before[at], old);
      expected.finish();
      expected.expect(state.maximum[t], state.sum[t], state.out.data() + t * state.stride);
      if (HasFailure()) return;
    }
    for (int64_t i = 0; i < state.out.size(); ++i) {  // the gaps between tokens
      if (i % state.stride < V) continue;
      ASSERT_EQ(state.out[i], out_before[static_cast<size_t>(i)]);
    }
  }
};

TEST_P(ExpandedAttend, IsWithinItsBoundForAnyNumberOfTokensAndRows) {
  for (const int64_t tokens : {1, 2, 5, 6, 7, 16, 33, 64}) {
    for (const int64_t rows : {1, 2, 3, 15, 16, 17, 31, 64, 100, 127, 128}) {
      expect_near_exact({tokens, rows, 24, 16}, -1000, false);
      expect_near_exact({tokens, rows, 24, 16}, 0, true);
    }
  }
}

TEST_P(ExpandedAttend, IsWithinItsBoundForAnyWidth) {
  for (const int64_t key : {1, 2, 5, 15, 16, 17, 31, 32, 33, 64, 100}) {
    for (const int64_t value : {1, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100}) {
      expect_near_exact({7, 20, key, value}, -4, true);
    }
  }
}

TEST_P(ExpandedAttend, IsWithinItsBoundForTheShapeOfPlm) {
  expect_near_exact({64, 128, 192, 128}, -64, false);
  expect_near_exact({64, 64, 192, 128}, 0, true);
}

TEST_P(ExpandedAttend, SeesOnlyWhatIsNotLater) {
  for (const int64_t lead : {-200, -129, -127, -40, -1, 0, 1, 2, 16, 31, 32, 39, 40, 41, 500}) {
    for (const bool continued : {false, true}) {
      expect_near_exact({40, 50, 16, 20}, lead, continued);
    }
  }
}

TEST_P(ExpandedAttend, OverTwoStretchesEqualsOne) {
  const Shape shape{20, 90, 48, 40};
  const Operands in(shape, random);
  for (const int64_t cut : {1, 16, 45, 75, 89}) {
    const int64_t first_position = 75;  // the last rows are seen by some tokens only
    const State state(shape.n_tokens, shape.value_width);
    attend(shape, in, 0, cut, first_position, 0, state);
    attend(shape, in, cut, shape.n_rows, first_position, 0, state);
    for (int64_t t = 0; t < shape.n_tokens; ++t) {
      SCOPED_TRACE(fmt::format("cut at {}, token {}", cut, t));
      ExactAttention expected = answer(shape, in, t, std::min(shape.n_rows, first_position + t + 1));
      expected.finish();
      std::vector<double> normalised;
      for (const float v : state.token(t, shape.value_width)) {
        normalised.push_back(static_cast<double>(v) / static_cast<double>(state.sum[t]));
      }
      expected.expect_normalised(normalised, 2);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExpandedAttend,
                         testing::Combine(testing::ValuesIn(available_isas()), testing::Bool()),
                         [](const auto& one) {
                           return test_name(fmt::format("{}_{}", isa_name(std::get<0>(one.param)),
                                                        std::get<1>(one.param) ? "exact" : "bf16_allowed"));
                         });

}  // namespace
}  // namespace plm::kernels::test
