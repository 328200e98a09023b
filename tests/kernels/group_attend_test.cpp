// Grouped-query attention over a key-value cache, for every instruction set and cache type.
#include <fmt/format.h>

#include <cstring>

#include "attention_bounds.h"
#include "guarded.h"
#include "kernels/cache_row.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

struct Shape {
  int64_t n_heads, key_width, value_width, n_rows;
  int64_t gap = 0;  // bytes between rows
  int64_t row_width() const { return key_width + value_width; }
};

const std::vector<TensorType> kCacheTypes = {TensorType::f32, TensorType::f16, TensorType::bf16,
                                             TensorType::q8_0};

class GroupAttend : public testing::TestWithParam<std::tuple<Isa, TensorType>> {
 protected:
  const Isa isa = std::get<0>(GetParam());
  const TensorType type = std::get<1>(GetParam());
  const uint64_t seed = 700;
  Random random{seed};
  testing::ScopedTrace trace{__FILE__, __LINE__, fmt::format("seed {}", seed)};
  const Kernels kernels = *select_kernels(isa_name(isa));

  // Rows as the cache keeps them, and what they say.
  std::vector<std::vector<float>> fill_rows(const Shape& shape, int64_t row_bytes, std::byte* rows) {
    std::vector<std::vector<float>> decoded;
    for (int64_t s = 0; s < shape.n_rows; ++s) {
      const auto numbers = random_floats(random, shape.row_width(), -2, 2);
      encode_cache_row(type, numbers.data(), shape.row_width(), rows + s * row_bytes);
      decoded.emplace_back(static_cast<size_t>(shape.row_width()));
      decode_cache_row(type, rows + s * row_bytes, shape.row_width(), decoded.back().data());
    }
    return decoded;
  }

  static ExactAttention exact(const Shape& shape, const float* q,
                              const std::vector<std::vector<float>>& decoded) {
    ExactAttention answer(static_cast<size_t>(shape.value_width));
    for (const auto& row : decoded) {
      double score = 0, size = 0;
      for (int64_t i = 0; i < shape.key_width; ++i) {
        const double product = static_cast<double>(q[i]) * row[static_cast<size_t>(i)];
        score += product;
        size += std::fabs(product);
      }
      answer.add(score, size, shape.key_width, {row.begin() + shape.key_width, row.end()}, {});
    }
    answer.finish();
    return answer;
  }

  void expect_near_exact(const Shape& shape) {
    SCOPED_TRACE(fmt::format("{} heads, {} and {} wide, {} rows, gap {}", shape.n_heads, shape.key_width,
                             shape.value_width, shape.n_rows, shape.gap));
    const int64_t row_bytes = cache_row_bytes(type, shape.row_width()) + shape.gap;
    const GuardedBytes rows(static_cast<size_t>(row_bytes * shape.n_rows - shape.gap),
                            type == TensorType::f32 ? 4 : 2);
    const auto decoded = fill_rows(shape, row_bytes, rows.data());
    const GuardedArray<float> q(shape.n_heads * shape.key_width);
    const float size = 6.0f / std::sqrt(static_cast<float>(shape.key_width));
    for (float& v : q) v = uniform(random, -size, size);
    const auto scratch_bytes = static_cast<size_t>(group_attend_scratch_bytes(shape.n_heads, shape.n_rows));
    const GuardedBytes scratch(scratch_bytes, 64);
    std::memset(scratch.data(), 0xff, scratch_bytes);  // NaN
    const GuardedArray<float> out(shape.n_heads * shape.value_width), maximum(shape.n_heads),
        sum(shape.n_heads);
    kernels.group_attend({.q_HQ = q.data(),
                          .n_heads = shape.n_heads,
                          .key_width = shape.key_width,
                          .value_width = shape.value_width,
                          .cache_type = type,
                          .rows = rows.data(),
                          .row_bytes = row_bytes,
                          .n_rows = shape.n_rows,
                          .out_HV = out.data(),
                          .max_H = maximum.data(),
                          .sum_H = sum.data(),
                          .scratch = scratch.data()});
    for (int64_t h = 0; h < shape.n_heads; ++h) {
      SCOPED_TRACE(fmt::format("head {}", h));
      exact(shape, q.data() + h * shape.key_width, decoded)
          .expect(maximum[h], sum[h], out.data() + h * shape.value_width);
      if (HasFailure()) return;
    }
  }
};

TEST_P(GroupAttend, IsWithinItsBoundForAnyNumberOfHeads) {
  for (int64_t heads = 1; heads <= 17; ++heads) {
    expect_near_exact({.n_heads = heads, .key_width = 64, .value_width = 64, .n_rows = 20});
  }
}

TEST_P(GroupAttend, IsWithinItsBoundForAnyNumberOfRows) {
  for (const int64_t rows : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 300}) {
    expect_near_exact({.n_heads = 3, .key_width = 96, .value_width = 96, .n_rows = rows});
  }
}

TEST_P(GroupAttend, IsWithinItsBoundForAnyWidth) {
  for (const int64_t key : {1, 2, 8, 15, 16, 20, 24, 32, 48, 64, 80, 128, 256}) {
    for (const int64_t value : {1, 4, 8, 16, 24, 33, 64, 80, 128}) {
      expect_near_exact({.n_heads = 2, .key_width = key, .value_width = value, .n_rows = 7});
    }
  }
}

TEST_P(GroupAttend, IsWithinItsBoundForTheShapesOfModels) {
  expect_near_exact({.n_heads = 6, .key_width = 128, .value_width = 128, .n_rows = 64});  // Qwen2.5-1.5B
  expect_near_exact({.n_heads = 1, .key_width = 64, .value_width = 64, .n_rows = 64});    // SmolLM2-1.7B
  expect_near_exact({.n_heads = 7, .key_width = 64, .value_width = 64, .n_rows = 64});    // Qwen2.5-0.5B
}

TEST_P(GroupAttend, TakesRowsThatLieApart) {
  for (const int64_t gap : {2, 4, 64}) {
    if (type == TensorType::f32 && gap == 2) continue;
    expect_near_exact({.n_heads = 4, .key_width = 32, .value_width = 16, .n_rows = 5, .gap = gap});
  }
}

INSTANTIATE_TEST_SUITE_P(All, GroupAttend,
                         testing::Combine(testing::ValuesIn(available_isas()),
                                          testing::ValuesIn(kCacheTypes)),
                         [](const auto& one) {
                           return test_name(fmt::format("{}_{}", isa_name(std::get<0>(one.param)),
                                                        tensor_type_name(std::get<1>(one.param))));
                         });

}  // namespace
}  // namespace plm::kernels::test
