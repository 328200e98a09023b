// Every instruction set's matrix product, for every type of weights, against the reference.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "bounds.h"
#include "guarded.h"
#include "kernels/pack.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

struct Weights {
  Weights(TensorType type, int64_t n_rows, int64_t cols, Random& random)
      : packed{.type = type, .rows = n_rows, .cols = cols},
        memory(static_cast<size_t>(packed.bytes()), type == TensorType::f32 ? 4 : 2) {
    const auto bytes = random_file_bytes(type, n_rows * cols, random);
    std::vector<int64_t> map(static_cast<size_t>(n_rows));
    std::iota(map.begin(), map.end(), 0);
    // Packed where alignment is promised, used where it is not: kernels read it unaligned.
    packed.data = memory.data();
    pack_groups({type, bytes.data(), n_rows, cols}, map, 0, packed.n_groups(), memory.data());
    for (int64_t r = 0; r < n_rows; ++r) {
      const std::byte* row = bytes.data() + r * row_bytes(type, cols);
      rows.emplace_back(static_cast<size_t>(cols));
      quant::find_format(type)->decode(row, rows.back().data(), cols);
      sizes.push_back(term_sizes(type, row, cols));
    }
  }

  PackedMatrix packed;
  GuardedBytes memory;
  std::vector<std::vector<float>> rows, sizes;
};

// The tokens of a call: first, first + stride, ... of those prepared.
struct Tokens {
  int64_t count, first, stride;
  int64_t prepared() const { return first + (count - 1) * stride + 1; }
};

struct Input {
  Input(const Kernels& kernels, const Tokens& tokens, int64_t width, Precision precision, Random& random)
      : stride(width + 3), values((tokens.prepared() - 1) * stride + width) {
    for (int64_t i = 0; i < values.size(); ++i) {
      // Some blocks are quiet, some numbers stand out.
      const float size = i / 32 % 3 == 0 ? 0.01f : 1.0f;
      values[i] = uniform(random, -size, size) * (random() % 50 == 0 ? 20.0f : 1.0f);
    }
    auto room = Activations::allocate(tokens.prepared(), width, precision);
    activations = *std::move(room);
    activations.begin(values.data(), tokens.prepared(), width, stride, precision);
    for (int64_t t = 0; t < tokens.prepared(); ++t) {
      kernels.quantize_token(values.data() + t * stride, activations, t);
    }
  }

  // One token: the numbers as given, what they became when they were rounded, and how far that may be.
  struct Numbers {
    std::vector<double> given, rounded, rounding;
  };

  // Each token is rounded by itself, so it is rounded again, alone: how several lie beside each other is
  // the kernels' business.
  Numbers token(const Kernels& kernels, int64_t t) const {
    const float* row = values.data() + t * stride;
    const int64_t width = activations.width;
    Activations alone = *Activations::allocate(1, width, activations.precision);
    alone.begin(row, 1, width, width, activations.precision);
    kernels.quantize_token(row, alone, 0);
    Numbers out;
    out.given.assign(row, row + width);
    if (activations.precision == Precision::bf16) {
      for (int64_t k = 0; k < width; ++k) {
        const auto rounded = bf16_to_f32(alone.bf16[k]);
        out.rounded.push_back(rounded);
        out.rounding.push_back(kBf16Roundoff * std::fabs(row[k]));
      }
      return out;
    }
    for (int64_t k = 0; k < width; ++k) {
      out.rounded.push_back(static_cast<double>(alone.scale[k / 32]) * rounded_integer(alone, k));
      if (k % 32 == 0) {
        double largest = 0;
        const int64_t end = std::min(k + 32, width);
        for (int64_t i = k; i < end; ++i) largest = std::max<double>(largest, std::fabs(row[i]));
        out.rounding.resize(static_cast<size_t>(end), input_rounding(alone.scale[k / 32], largest));
      }
    }
    return out;
  }

  int64_t stride;
  GuardedArray<float> values;
  Activations activations;
};

class Matmul : public testing::TestWithParam<std::tuple<Isa, TensorType>> {
 protected:
  const Isa isa = std::get<0>(GetParam());
  const TensorType type = std::get<1>(GetParam());
  const bool plain = packed_format(type).codes == CodeKind::plain;
  const uint64_t seed = 100 + static_cast<uint64_t>(type);
  Random random{seed};
  testing::ScopedTrace trace{__FILE__, __LINE__, fmt::format("seed {}", seed)};
  const Kernels kernels = *select_kernels(isa_name(isa));
  const Precision many = kernels.many_tokens;

  struct Call {
    Tokens tokens;
    Precision precision = Precision::fine;
    bool add = false;
    int64_t group_begin = 0, group_end = -1;  // -1: to the last
  };

  // Roundings on the way of one term into the result: quantised, at most four additions a block
  // (two halves, each with its scale and its minimum), and the product of the two scales, the dot
  // product turned into a float, the conversions of the test itself.
  // In bf16 every product is added to the sum by itself.
  int64_t roundings(int64_t cols, Precision precision) const {
    return plain || precision == Precision::bf16 ? cols + 10 : 4 * (cols / 32) + 10;
  }

  void expect_near_exact(const Weights& w, const Call& call) {
    SCOPED_TRACE(fmt::format("{} x {}, {} tokens from {} by {}, {}{}", w.packed.rows, w.packed.cols,
                             call.tokens.count, call.tokens.first, call.tokens.stride,
                             call.precision == Precision::fine ? "fine" : "for many",
                             call.add ? ", add" : ""));
    const int64_t rows = w.packed.rows, cols = w.packed.cols;
    const Input x(kernels, call.tokens, cols, call.precision, random);
    const int64_t y_stride = rows + 7;
    const GuardedArray<float> y((call.tokens.count - 1) * y_stride + rows);
    for (float& v : y) v = uniform(random, -3, 3);
    const std::vector<float> before(y.begin(), y.end());
    const int64_t group_end = call.group_end < 0 ? w.packed.n_groups() : call.group_end;
    kernels.matmul({.weight = &w.packed,
                    .x = &x.activations,
                    .y = y.data(),
                    .y_stride = y_stride,
                    .group_begin = call.group_begin,
                    .group_end = group_end,
                    .first_token = call.tokens.first,
                    .n_tokens = call.tokens.count,
                    .token_stride = call.tokens.stride,
                    .add = call.add});
    const int64_t row_begin = call.group_begin * kGroupRows, row_end = std::min(group_end * kGroupRows, rows);
    for (int64_t i = 0; i < y.size(); ++i) {
      const int64_t r = i % y_stride;
      if (r >= row_begin && r < row_end) continue;
      ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(before[static_cast<size_t>(i)]))
          << "number " << i << " is not the kernel's";
    }
    for (int64_t t = 0; t < call.tokens.count; ++t) {
      SCOPED_TRACE(fmt::format("token {}", t));
      const Input::Numbers numbers = x.token(kernels, call.tokens.first + t * call.tokens.stride);
      for (int64_t r = row_begin; r < row_end; ++r) {
        const int64_t i = t * y_stride + r;
        expect_row(w, r, call.precision, numbers, y[i], call.add ? before[static_cast<size_t>(i)] : 0.0f);
        if (HasFailure()) return;
      }
    }
  }

  void expect_row(const Weights& w, int64_t r, Precision precision, const Input::Numbers& x, float y,
                  float before) {
    const float* row = w.rows[static_cast<size_t>(r)].data();
    const float* sizes = w.sizes[static_cast<size_t>(r)].data();
    const bool input_is_rounded = rounds(w, precision);
    const double* used = input_is_rounded ? x.rounded.data() : x.given.data();
    double exact = before, exact_of_used = before, sum_of_sizes = std::fabs(before), input_error = 0;
    double weight_error = 0;  // of weights rounded to bf16
    for (size_t k = 0; k < x.given.size(); ++k) {
      exact += row[k] * x.given[k];
      exact_of_used += row[k] * used[k];
      sum_of_sizes += sizes[k] * std::fabs(used[k]);
      input_error += std::fabs(row[k]) * x.rounding[k];
      weight_error += kBf16Roundoff * std::fabs(row[k] * used[k]) + kSmallestNormal;
    }
    double sum_error = gamma(roundings(w.packed.cols, precision)) * sum_of_sizes;
    if (!plain && input_is_rounded && precision == Precision::bf16)
      sum_error += (1 + gamma(w.packed.cols)) * weight_error;
    ASSERT_NEAR(y, exact_of_used, sum_error) << "row " << r;
    ASSERT_NEAR(y, exact, sum_error + (input_is_rounded ? input_error : 0)) << "row " << r;
  }

  // The reference takes the numbers as they are, as do products with plain weights, but for those of tiles.
  bool rounds(const Weights& w, Precision precision) const {
    if (isa == Isa::reference) return false;
    if (!plain) return true;
    return isa == Isa::amx && precision == Precision::bf16 && type == TensorType::bf16 &&
           w.packed.cols % 32 == 0;
  }
  int64_t unit() const { return std::max<int64_t>(tensor_type_info(type).block_elements, 32); }
};

TEST_P(Matmul, IsWithinItsBoundForAnyNumberOfTokens) {
  const Weights w(type, 36, 2 * unit(), random);
  for (const int64_t n : {1, 2, 3, 4, 5, 8, 9, 16, 17, 33}) {
    for (const bool add : {false, true}) {
      expect_near_exact(w, {.tokens = {n, 0, 1}, .precision = many, .add = add});
      if (n <= kFineTokens) {
        expect_near_exact(w, {.tokens = {n, 0, 1}, .precision = Precision::fine, .add = add});
      }
    }
  }
}

TEST_P(Matmul, TakesTheTokensOfOneHead) {
  const Weights w(type, 32, unit(), random);
  for (const Tokens tokens : {Tokens{1, 3, 5}, Tokens{2, 1, 4}, Tokens{3, 0, 2}}) {
    expect_near_exact(w, {.tokens = tokens, .precision = Precision::fine});
  }
  for (const Tokens tokens : {Tokens{1, 9, 16}, Tokens{5, 3, 7}, Tokens{17, 2, 3}, Tokens{33, 1, 2}}) {
    expect_near_exact(w, {.tokens = tokens, .precision = many});
  }
}

TEST_P(Matmul, TouchesOnlyTheRowsOfItsGroups) {
  for (const int64_t rows : {1, 7, 15, 16, 17, 31, 33, 48, 79}) {
    const Weights w(type, rows, unit(), random);
    const int64_t n_groups = w.packed.n_groups();
    for (const Precision precision : {Precision::fine, many}) {
      for (const bool add : {false, true}) {
        expect_near_exact(w, {.tokens = {3, 0, 1}, .precision = precision, .add = add});
        expect_near_exact(
            w, {.tokens = {2, 0, 1}, .precision = precision, .add = add, .group_begin = n_groups - 1});
        expect_near_exact(
            w, {.tokens = {1, 0, 1}, .precision = precision, .add = add, .group_begin = 0, .group_end = 1});
        expect_near_exact(w, {.tokens = {1, 0, 1}, .precision = precision, .group_begin = 1, .group_end = 1});
      }
    }
  }
}

TEST_P(Matmul, IsWithinItsBoundForAnyWidth) {
  std::vector<int64_t> widths;
  for (const int64_t units : {1, 2, 3, 4, 9}) widths.push_back(units * unit());
  if (plain) widths.insert(widths.end(), {1, 2, 3, 5, 17, 63, 130});
  for (const int64_t cols : widths) {
    const Weights w(type, 20, cols, random);
    expect_near_exact(w, {.tokens = {1, 0, 1}, .precision = Precision::fine});
    expect_near_exact(w, {.tokens = {5, 0, 1}, .precision = Precision::fine});
    expect_near_exact(w, {.tokens = {18, 0, 1}, .precision = many});
  }
}

// More tokens than one stretch of the cache holds, more columns than one chunk, groups without a neighbour.
TEST_P(Matmul, IsWithinItsBoundForManyTokensOfAWideMatrix) {
  const Weights w(type, 3, 16 * 256, random);
  for (const int64_t n : {150, 340}) expect_near_exact(w, {.tokens = {n, 0, 1}, .precision = many});
}

INSTANTIATE_TEST_SUITE_P(All, Matmul,
                         testing::Combine(testing::ValuesIn(available_isas()),
                                          testing::ValuesIn(weight_types())),
                         [](const auto& one) {
                           return test_name(fmt::format("{}_{}", isa_name(std::get<0>(one.param)),
                                                        tensor_type_name(std::get<1>(one.param))));
                         });

}  // namespace
}  // namespace plm::kernels::test
