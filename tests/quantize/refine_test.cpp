#include "quantize/refine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quant/codes.h"
#include "quant/formats.h"

namespace plm::quantize {
namespace {

constexpr int64_t kWidth = 512, kBlock = 256;

// Inputs that largely go together: a few causes behind them all.
struct Correlated {
  Correlations correlations;
  std::vector<float> mean_squares = std::vector<float>(kWidth, 1.0f);
};

Correlated correlated_inputs() {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  Correlated result;
  result.correlations.block = kBlock;
  for (int64_t stretch = 0; stretch < kWidth / kBlock; ++stretch) {
    constexpr int kCauses = 24;
    std::vector<std::vector<float>> rows(kBlock, std::vector<float>(kCauses));
    for (auto& row : rows) {
      float sum = 0;
      for (float& x : row) {
        x = normal(random);
        sum += x * x;
      }
      for (float& x : row) x /= std::sqrt(sum);
    }
    for (const auto& a : rows) {
      for (const auto& b : rows) {
        float dot = 0;
        for (int i = 0; i < kCauses; ++i) dot += a[static_cast<size_t>(i)] * b[static_cast<size_t>(i)];
        result.correlations.coefficient.push_back(dot);
      }
    }
  }
  return result;
}

double cost(const std::vector<float>& exact, const std::vector<float>& rounded, const Correlations& h) {
  double sum = 0;
  for (int64_t begin = 0; begin < kWidth; begin += kBlock) {
    const float* matrix = h.coefficient.data() + begin * kBlock;
    for (int64_t i = 0; i < kBlock; ++i) {
      for (int64_t j = 0; j < kBlock; ++j) {
        const auto at = [&](int64_t k) {
          return double{rounded[static_cast<size_t>(begin + k)]} - exact[static_cast<size_t>(begin + k)];
        };
        sum += at(i) * matrix[i * kBlock + j] * at(j);
      }
    }
  }
  return sum;
}

class RefineCodes : public testing::TestWithParam<TensorType> {};

TEST_P(RefineCodes, HalvesTheCostOfErrorsThatGoTogether) {
  const quant::Format& format = *quant::find_format(GetParam());
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> values(kWidth), decoded(kWidth);
  for (float& value : values) value = normal(random);
  const Correlated inputs = correlated_inputs();
  const SecondMoments moments(inputs.correlations, inputs.mean_squares);
  std::vector<std::byte> blocks(static_cast<size_t>(row_bytes(format.type, kWidth)));
  format.encode(values.data(), blocks.data(), kWidth);
  format.decode(blocks.data(), decoded.data(), kWidth);
  const double before = cost(values, decoded, inputs.correlations);
  refine_codes(values.data(), kWidth, format.type, moments, blocks.data());
  format.decode(blocks.data(), decoded.data(), kWidth);
  EXPECT_LT(cost(values, decoded, inputs.correlations), 0.5 * before);
}

TEST_P(RefineCodes, ChangesNothingWhereInputsDoNotGoTogether) {
  const quant::Format& format = *quant::find_format(GetParam());
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> values(kWidth);
  for (float& value : values) value = normal(random);
  Correlations none{.block = kBlock, .coefficient = std::vector<float>(kWidth * kBlock)};
  for (int64_t i = 0; i < kWidth; ++i) none.coefficient[static_cast<size_t>(i * kBlock + i % kBlock)] = 1;
  const SecondMoments moments(none, std::vector<float>(kWidth, 1.0f));
  std::vector<std::byte> blocks(static_cast<size_t>(row_bytes(format.type, kWidth)));
  // Rounding to the nearest code is what the searches end with.
  format.encode_weighted(values.data(), nullptr, blocks.data(), kWidth);
  std::vector<float> before(kWidth), after(kWidth);
  format.decode(blocks.data(), before.data(), kWidth);
  refine_codes(values.data(), kWidth, format.type, moments, blocks.data());
  format.decode(blocks.data(), after.data(), kWidth);
  for (size_t i = 0; i < kWidth; ++i) {
    ASSERT_LE(std::abs(after[i] - values[i]), std::abs(before[i] - values[i]) * 1.0001f + 1e-7f) << i;
  }
}

TEST_P(RefineCodes, WritesTheCodesItReads) {
  const quant::CodeFormat& codes = *quant::find_code_format(GetParam());
  const quant::Format& format = *quant::find_format(GetParam());
  std::mt19937 random(6);
  std::vector<float> values(kWidth), decoded(kWidth), step(kWidth), offset(kWidth);
  std::normal_distribution<float> normal;
  for (float& value : values) value = normal(random);
  std::vector<std::byte> blocks(static_cast<size_t>(row_bytes(format.type, kWidth)));
  format.encode(values.data(), blocks.data(), kWidth);
  std::vector<uint8_t> read(kWidth), written(kWidth), again(kWidth);
  codes.read(blocks.data(), read.data(), step.data(), offset.data(), kWidth);
  format.decode(blocks.data(), decoded.data(), kWidth);
  for (size_t i = 0; i < kWidth; ++i) {
    ASSERT_NEAR(step[i] * static_cast<float>(read[i]) + offset[i], decoded[i], 1e-5f) << i;
    written[i] = static_cast<uint8_t>(random() % static_cast<uint32_t>(codes.largest_code + 1));
  }
  codes.write(written.data(), blocks.data(), kWidth);
  codes.read(blocks.data(), again.data(), step.data(), offset.data(), kWidth);
  EXPECT_EQ(again, written);
}

INSTANTIATE_TEST_SUITE_P(Formats, RefineCodes,
                         testing::Values(TensorType::q4_0, TensorType::q4_1, TensorType::q5_0,
                                         TensorType::q5_1, TensorType::q2_k, TensorType::q3_k,
                                         TensorType::q4_k, TensorType::q5_k, TensorType::q6_k),
                         [](const auto& parameter) {
                           return std::string(tensor_type_name(parameter.param));
                         });

}  // namespace
}  // namespace plm::quantize
