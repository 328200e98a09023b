// Attention over the latent cache, for every instruction set and cache type, and the merge of stretches.
#include <fmt/format.h>

#include <cstring>

#include "attention_bounds.h"
#include "guarded.h"
#include "kernels/cache_row.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

struct Shape {
  int64_t n_heads, latent_width, rope_width, n_rows;
  int64_t gap = 0;  // bytes between rows
  int64_t row_width() const { return latent_width + rope_width; }
};

const std::vector<TensorType> kCacheTypes = {TensorType::f32, TensorType::f16, TensorType::bf16,
                                             TensorType::q8_0};

// A stretch of a cache and queries whose scores spread over some units.
struct Stretch {
  Stretch(const Shape& wanted, TensorType cache_type, Random& random)
      : shape(wanted),
        type(cache_type),
        row_bytes(cache_row_bytes(type, shape.row_width()) + shape.gap),
        rows(static_cast<size_t>(row_bytes * shape.n_rows - shape.gap), type == TensorType::f32 ? 4 : 2),
        q(shape.n_heads * shape.row_width()) {
    for (int64_t s = 0; s < shape.n_rows; ++s) {
      const auto numbers = random_floats(random, shape.row_width(), -2, 2);
      encode_cache_row(type, numbers.data(), shape.row_width(), rows.data() + s * row_bytes);
      decoded.emplace_back(static_cast<size_t>(shape.row_width()));
      decode_cache_row(type, rows.data() + s * row_bytes, shape.row_width(), decoded.back().data());
    }
    const float size = 6.0f / std::sqrt(static_cast<float>(shape.row_width()));
    for (float& v : q) v = uniform(random, -size, size);
  }

  ExactAttention exact(int64_t head, const ProductRounding& rounding) const {
    const int64_t E = shape.row_width();
    ExactAttention answer(static_cast<size_t>(shape.latent_width));
    for (const auto& row : decoded) {
      double score = 0, size = 0;
      for (int64_t e = 0; e < E; ++e) {
        const double product = static_cast<double>(q[head * E + e]) * row[static_cast<size_t>(e)];
        score += product;
        size += std::fabs(product);
      }
      answer.add(score, size, E, row, rounding);
    }
    answer.finish();
    return answer;
  }

  Shape shape;
  TensorType type;
  int64_t row_bytes;
  GuardedBytes rows;
  GuardedArray<float> q;
  std::vector<std::vector<float>> decoded;
};

class LatentAttend : public testing::TestWithParam<std::tuple<Isa, TensorType>> {
 protected:
  const Isa isa = std::get<0>(GetParam());
  const TensorType type = std::get<1>(GetParam());
  const uint64_t seed = 400;
  Random random{seed};
  testing::ScopedTrace trace{__FILE__, __LINE__, fmt::format("seed {}", seed)};
  const Kernels kernels = *select_kernels(isa_name(isa));

  // Rows in bf16 are multiplied as they are, by queries and weights rounded to bf16.
  ProductRounding rounding() const {
    if ((isa == Isa::avx512_bf16 || isa == Isa::amx) && type == TensorType::bf16)
      return {kBf16Roundoff, kBf16Roundoff};
    return {};
  }

  void expect_near_exact(const Shape& shape) {
    SCOPED_TRACE(fmt::format("{} heads, {} + {} wide, {} rows, gap {}", shape.n_heads, shape.latent_width,
                             shape.rope_width, shape.n_rows, shape.gap));
    const Stretch stretch(shape, type, random);
    const auto scratch_bytes = static_cast<size_t>(
        latent_attend_scratch_bytes(shape.n_heads, shape.latent_width, shape.rope_width, shape.n_rows));
    const GuardedBytes scratch(scratch_bytes, 64);
    std::memset(scratch.data(), 0xff, scratch_bytes);  // NaN, whichever way it is read
    const GuardedArray<float> out(shape.n_heads * shape.latent_width), maximum(shape.n_heads),
        sum(shape.n_heads);
    kernels.latent_attend({.q_HE = stretch.q.data(),
                           .n_heads = shape.n_heads,
                           .latent_width = shape.latent_width,
                           .rope_width = shape.rope_width,
                           .cache_type = type,
                           .rows = stretch.rows.data(),
                           .row_bytes = stretch.row_bytes,
                           .n_rows = shape.n_rows,
                           .out_HC = out.data(),
                           .max_H = maximum.data(),
                           .sum_H = sum.data(),
                           .scratch = scratch.data()});
    for (int64_t h = 0; h < shape.n_heads; ++h) {
      SCOPED_TRACE(fmt::format("head {}", h));
      stretch.exact(h, rounding()).expect(maximum[h], sum[h], out.data() + h * shape.latent_width);
      if (HasFailure()) return;
    }
  }
};

TEST_P(LatentAttend, IsWithinItsBoundForAnyNumberOfHeads) {
  for (int64_t heads = 1; heads <= 17; ++heads) {
    expect_near_exact({.n_heads = heads, .latent_width = 64, .rope_width = 16, .n_rows = 20});
  }
  expect_near_exact({.n_heads = 32, .latent_width = 32, .rope_width = 8, .n_rows = 9});
  for (const int64_t heads : {1, 15, 16, 17, 33, 40}) {
    expect_near_exact({.n_heads = heads, .latent_width = 64, .rope_width = 32, .n_rows = 139});
  }
}

TEST_P(LatentAttend, IsWithinItsBoundForAnyNumberOfRows) {
  for (const int64_t rows :
       {1, 2, 3, 5, 6, 7, 15, 16, 17, 31, 32, 33, 64, 100, 127, 128, 129, 144, 257, 300}) {
    expect_near_exact({.n_heads = 3, .latent_width = 96, .rope_width = 32, .n_rows = rows});
  }
}

TEST_P(LatentAttend, IsWithinItsBoundForAnyWidth) {
  for (const int64_t latent : {1, 2, 8, 15, 16, 17, 24, 31, 32, 33, 48, 64, 70, 128}) {
    for (const int64_t rope : {0, 1, 2, 8, 16, 30}) {
      expect_near_exact({.n_heads = 2, .latent_width = latent, .rope_width = rope, .n_rows = 7});
    }
  }
}

TEST_P(LatentAttend, IsWithinItsBoundForTheShapeOfPlm) {
  expect_near_exact({.n_heads = 16, .latent_width = 512, .rope_width = 64, .n_rows = 64});
}

TEST_P(LatentAttend, TakesRowsThatLieApart) {
  for (const int64_t gap : {2, 4, 64}) {
    if (type == TensorType::f32 && gap == 2) continue;
    expect_near_exact({.n_heads = 4, .latent_width = 32, .rope_width = 8, .n_rows = 5, .gap = gap});
    expect_near_exact({.n_heads = 4, .latent_width = 32, .rope_width = 32, .n_rows = 150, .gap = gap});
  }
}

INSTANTIATE_TEST_SUITE_P(All, LatentAttend,
                         testing::Combine(testing::ValuesIn(available_isas()),
                                          testing::ValuesIn(kCacheTypes)),
                         [](const auto& one) {
                           return test_name(fmt::format("{}_{}", isa_name(std::get<0>(one.param)),
                                                        tensor_type_name(std::get<1>(one.param))));
                         });

TEST(MergeAttention, OfStretchesIsTheAttentionOverAllRows) {
  const uint64_t seed = 401;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random{seed};
  const Shape shape{.n_heads = 5, .latent_width = 40, .rope_width = 6, .n_rows = 70};
  const Stretch all(shape, TensorType::f32, random);
  const Kernels reference = *select_kernels("reference");
  const int64_t ends[] = {1, 33, 34, 70};
  const int64_t n = std::size(ends), H = shape.n_heads, C = shape.latent_width;
  std::vector<float> out(static_cast<size_t>(n * H * C)), maximum(static_cast<size_t>(n * H)),
      sum(maximum.size());
  for (int64_t i = 0, begin = 0; i < n; begin = ends[i++]) {
    reference.latent_attend({.q_HE = all.q.data(),
                             .n_heads = H,
                             .latent_width = C,
                             .rope_width = shape.rope_width,
                             .cache_type = TensorType::f32,
                             .rows = all.rows.data() + begin * all.row_bytes,
                             .row_bytes = all.row_bytes,
                             .n_rows = ends[i] - begin,
                             .out_HC = out.data() + i * H * C,
                             .max_H = maximum.data() + i * H,
                             .sum_H = sum.data() + i * H});
  }
  const GuardedArray<float> merged(H * C);
  for (float& v : merged) v = 77;
  merge_attention(n, H, C, out.data(), maximum.data(), sum.data(), 1, 4, merged.data());
  for (int64_t h = 0; h < H; ++h) {
    const float* head = merged.data() + h * C;
    if (h < 1 || h >= 4) {
      for (int64_t c = 0; c < C; ++c) EXPECT_EQ(head[c], 77) << "a head that was not asked for";
      continue;
    }
    // Each stretch and the merge round once more than one pass over all rows would.
    all.exact(h, {}).expect_normalised(std::vector<double>(head, head + C), 2);
  }
}

TEST(CacheRow, IsTheFormatsBlocksPaddedWithZeros) {
  Random random{402};
  for (const TensorType type : kCacheTypes) {
    ASSERT_TRUE(is_cache_type(type));
    const quant::Format& format = *quant::find_format(type);
    const int64_t block = tensor_type_info(type).block_elements;
    for (const int64_t width : {1, 31, 32, 33, 64, 80, 576}) {
      SCOPED_TRACE(fmt::format("{} {}", tensor_type_name(type), width));
      const int64_t padded_width = (width + block - 1) / block * block;
      ASSERT_EQ(cache_row_bytes(type, width), row_bytes(type, padded_width));
      std::vector<float> numbers = random_floats(random, width);
      const GuardedBytes row(static_cast<size_t>(cache_row_bytes(type, width)), 2);
      encode_cache_row(type, numbers.data(), width, row.data());
      const GuardedArray<float> back(width);
      decode_cache_row(type, row.data(), width, back.data());
      numbers.resize(static_cast<size_t>(padded_width), 0.0f);
      std::vector<std::byte> expected(static_cast<size_t>(row_bytes(type, padded_width)));
      format.encode(numbers.data(), expected.data(), padded_width);
      EXPECT_EQ(std::memcmp(row.data(), expected.data(), expected.size()), 0);
      format.decode(expected.data(), numbers.data(), padded_width);
      EXPECT_EQ(std::memcmp(back.data(), numbers.data(), static_cast<size_t>(width) * sizeof(float)), 0);
    }
  }
  EXPECT_FALSE(is_cache_type(TensorType::q4_0));
}

}  // namespace
}  // namespace plm::kernels::test
