#include "convert/tensor_stream.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/half.h"
#include "quant/formats.h"

namespace plm::convert {
namespace {

std::span<const std::byte> bytes_of(const std::vector<float>& numbers) {
  return std::as_bytes(std::span(numbers));
}

struct Converted {
  std::vector<std::byte> bytes;
  Trouble trouble;
  int n_pieces = 0;
};

Converted convert(const TensorSource& source, TensorType type, int n_threads = 2) {
  ThreadPool pool(n_threads);
  TensorStream stream(pool);
  Converted result;
  const auto trouble = stream.convert(source, type, [&](std::span<const std::byte> bytes) -> Status {
    result.bytes.insert(result.bytes.end(), bytes.begin(), bytes.end());
    ++result.n_pieces;
    return {};
  });
  EXPECT_TRUE(trouble.ok());
  result.trouble = *trouble;
  return result;
}

std::vector<float> floats_of(const Converted& converted, TensorType type, size_t n) {
  std::vector<float> numbers(n);
  quant::find_format(type)->decode(converted.bytes.data(), numbers.data(), static_cast<int64_t>(n));
  return numbers;
}

TEST(RowMap, PutsTheTwoHalvesOfAHeadSideBySide) {
  const RowMap map{.head_width = 6, .makes_pairs = true};
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < 12; ++row) rows.push_back(map.source_row(row));
  EXPECT_EQ(rows, (std::vector<int64_t>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
}

TEST(RowMap, GoesBackWhereItCameFrom) {
  for (const int64_t width : {2, 4, 24, 128}) {
    const RowMap there{.head_width = width, .makes_pairs = true};
    const RowMap back{.head_width = width, .makes_pairs = false};
    for (int64_t row = 0; row < 3 * width; ++row) EXPECT_EQ(there.source_row(back.source_row(row)), row);
  }
}

TEST(TensorStream, PassesNumbersOfTheSameTypeUnchanged) {
  // Signs of NaN and the like included: bits, not values.
  std::vector<float> numbers(3000, -0.0F);
  numbers[7] = std::numeric_limits<float>::signaling_NaN();
  const TensorSource source{.bytes = bytes_of(numbers), .type = TensorType::f32, .rows = 3, .cols = 1000};
  const Converted result = convert(source, TensorType::f32);
  ASSERT_EQ(result.bytes.size(), numbers.size() * sizeof(float));
  EXPECT_EQ(std::memcmp(result.bytes.data(), numbers.data(), result.bytes.size()), 0);
}

TEST(TensorStream, GivesTheSameBytesForAnyNumberOfThreads) {
  // More than one batch of one thread.
  std::vector<float> numbers(2'000'000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<float>(i));
  const TensorSource source{.bytes = bytes_of(numbers), .type = TensorType::f32, .rows = 2000, .cols = 1000};
  const Converted one = convert(source, TensorType::f16, 1);
  EXPECT_GT(one.n_pieces, 1);
  EXPECT_EQ(one.bytes, convert(source, TensorType::f16, 3).bytes);
  EXPECT_EQ(floats_of(one, TensorType::f16, 2'000'000)[1'999'999], f16_to_f32(f32_to_f16(numbers.back())));
}

TEST(TensorStream, ReordersRowsAcrossPieces) {
  constexpr int64_t kRows = 2048, kCols = 96;
  std::vector<float> numbers(kRows * kCols);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  const RowMap map{.head_width = 64, .makes_pairs = true};
  const TensorSource source{
      .bytes = bytes_of(numbers), .type = TensorType::f32, .rows = kRows, .cols = kCols, .row_map = map};
  const auto result = floats_of(convert(source, TensorType::f32), TensorType::f32, numbers.size());
  for (const int64_t row : {0, 1, 63, 64, 1000, 2047}) {
    const auto at = static_cast<size_t>(row * kCols + 5);
    EXPECT_EQ(result[at], numbers[static_cast<size_t>(map.source_row(row) * kCols + 5)]) << row;
  }
}

TEST(TensorStream, ReordersRowsOfBlocks) {
  std::vector<float> numbers(8 * 64);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t row = i / 64;
    numbers[i] = static_cast<float>(row) + 1;
  }
  const TensorSource plain{.bytes = bytes_of(numbers), .type = TensorType::f32, .rows = 8, .cols = 64};
  const Converted blocks = convert(plain, TensorType::q8_0);
  const TensorSource source{.bytes = blocks.bytes,
                            .type = TensorType::q8_0,
                            .rows = 8,
                            .cols = 64,
                            .row_map = {.head_width = 8, .makes_pairs = true}};
  const auto result = floats_of(convert(source, TensorType::f32), TensorType::f32, numbers.size());
  EXPECT_NEAR(result[1 * 64], 5, 0.01);
  EXPECT_NEAR(result[2 * 64 + 63], 2, 0.01);
}

TEST(TensorStream, CountsWhatIsNotFinite) {
  std::vector<float> numbers(64, 1.0F);
  numbers[3] = std::numeric_limits<float>::quiet_NaN();
  numbers[4] = -std::numeric_limits<float>::infinity();
  const TensorSource source{.bytes = bytes_of(numbers), .type = TensorType::f32, .rows = 1, .cols = 64};
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0}) {
    const Converted result = convert(source, type);
    EXPECT_EQ(result.trouble.n_nonfinite, 2) << tensor_type_name(type);
    EXPECT_EQ(result.trouble.n_overflow, 0) << tensor_type_name(type);
  }
  // A block of Q8_0 has one scale: a NaN must not spoil its neighbours.
  EXPECT_NEAR(floats_of(convert(source, TensorType::q8_0), TensorType::q8_0, 64)[5], 1, 0.01);
}

TEST(TensorStream, CountsExactlyWhatBecomesInfinite) {
  const std::vector<float> numbers{65504, 65519.99F, 65520, -1e9F, 3.38e38F, 3.4e38F};
  const TensorSource source{.bytes = bytes_of(numbers), .type = TensorType::f32, .rows = 1, .cols = 6};
  for (const TensorType type : {TensorType::f16, TensorType::bf16}) {
    const Converted result = convert(source, type);
    int64_t n_infinite = 0;
    for (const float number : floats_of(result, type, numbers.size()))
      n_infinite += std::isinf(number) ? 1 : 0;
    EXPECT_EQ(result.trouble.n_overflow, n_infinite) << tensor_type_name(type);
    EXPECT_GT(n_infinite, 0) << tensor_type_name(type);
  }
  EXPECT_EQ(convert(source, TensorType::f32).trouble.n_overflow, 0);
}

TEST(TensorStream, StopsWhenTheSinkFails) {
  ThreadPool pool(1);
  TensorStream stream(pool);
  const std::vector<float> numbers(10, 1.0F);
  const TensorSource source{.bytes = bytes_of(numbers), .type = TensorType::f32, .rows = 1, .cols = 10};
  const auto result = stream.convert(source, TensorType::f16, [](std::span<const std::byte>) -> Status {
    return Error{ErrorKind::cancelled, "interrupted"};
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::cancelled);
}

TEST(FitsExactly, KnowsWhichNumbersSixteenBitsHold) {
  std::vector<float> numbers{1, 0.5F, -3, 0};
  const TensorSource source{.bytes = bytes_of(numbers), .type = TensorType::f32, .rows = 1, .cols = 4};
  EXPECT_TRUE(fits_exactly(source, TensorType::f16));
  EXPECT_TRUE(fits_exactly(source, TensorType::bf16));
  numbers[2] = 1 + 1.0F / 512;
  EXPECT_TRUE(fits_exactly(source, TensorType::f16));
  EXPECT_FALSE(fits_exactly(source, TensorType::bf16));
  numbers[2] = 1e6F;
  EXPECT_FALSE(fits_exactly(source, TensorType::f16));
}

TEST(IsAllZero, TakesBothSignsOfZero) {
  std::vector<float> numbers{0.0F, -0.0F};
  const TensorSource source{.bytes = bytes_of(numbers), .type = TensorType::f32, .rows = 1, .cols = 2};
  EXPECT_TRUE(is_all_zero(source));
  numbers[1] = 1e-30F;
  EXPECT_FALSE(is_all_zero(source));
}

}  // namespace
}  // namespace plm::convert
