#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "quant_test_support.h"

namespace plm::quant {
namespace {

std::vector<const Format*> writable_formats() {
  std::vector<const Format*> formats;
  for (const Format& format : all_formats()) {
    if (format.encode != nullptr) formats.push_back(&format);
  }
  return formats;
}

bool is_k_format(const Format& format) { return tensor_type_info(format.type).block_elements == 256; }

// Those whose scales are searched for even without importance.
bool is_searched(const Format& format) { return is_k_format(format) || format.type == TensorType::iq4_nl; }

// The scale of a block must fit f16, so this many bits of range are lost at either end.
bool is_block_format(const Format& format) { return tensor_type_info(format.type).block_elements > 1; }

TEST(Encode, EqualsThePythonPackageByteForByte) {
  for (const Format* format : writable_formats()) {
    if (is_searched(*format) || format->type == TensorType::f32) continue;
    SCOPED_TRACE(format_name(*format));
    const std::string file = read_golden("encode_" + format_name(*format) + ".bin");
    ASSERT_GT(file.size(), 256 * sizeof(float));
    const std::vector<uint8_t> blocks = encoded(*format, floats_of(file.substr(0, 256 * sizeof(float))));
    EXPECT_EQ(std::string(blocks.begin(), blocks.end()), file.substr(256 * sizeof(float)));
  }
}

// Relative squared errors that ggml 0.25.3's reference quantiser leaves on Gaussian numbers.
TEST(EncodeK, LeavesLessErrorThanGgmlOnGaussianWeights) {
  const std::map<TensorType, double> ggml_error = {{TensorType::q2_k, 8.78e-2},
                                                   {TensorType::q3_k, 2.27e-2},
                                                   {TensorType::q4_k, 5.08e-3},
                                                   {TensorType::q5_k, 1.303e-3},
                                                   {TensorType::q6_k, 3.15e-4}};
  const std::vector<float> values = gaussian(256 * 256, 7);
  for (const auto& [type, error] : ggml_error) {
    const Format& format = *find_format(type);
    EXPECT_LT(relative_error(values, decoded(format, encoded(format, values))), error) << format_name(format);
  }
}

TEST(EncodeWeighted, SpendsItsCodesWhereTheImportanceIs) {
  const std::vector<float> values = gaussian(256 * 32, 8);
  std::vector<float> importance(values.size());
  for (size_t i = 0; i < importance.size(); ++i) importance[i] = i % 7 == 0 ? 100.0f : 0.5f;
  for (const Format* format : writable_formats()) {
    if (format->encode_weighted == nullptr) continue;
    const double plain =
        relative_error(values, decoded(*format, encoded(*format, values)), importance.data());
    const double weighted = relative_error(
        values, decoded(*format, encoded(*format, values, importance.data())), importance.data());
    EXPECT_LT(weighted, 0.8 * plain) << format_name(*format);
  }
}

TEST(EncodeWeighted, IgnoresImportanceThatSaysNothing) {
  const std::vector<float> values = gaussian(256, 9);
  const std::vector<float> zeros(256, 0.0f);
  const std::vector<float> nonsense(256, std::nanf(""));
  for (const Format* format : writable_formats()) {
    if (!is_searched(*format)) continue;
    EXPECT_EQ(encoded(*format, values, zeros.data()), encoded(*format, values)) << format_name(*format);
    EXPECT_EQ(encoded(*format, values, nonsense.data()), encoded(*format, values)) << format_name(*format);
  }
}

TEST(Encode, OfABlockDoesNotDependOnItsNeighbours) {
  const std::vector<float> values = gaussian(1024, 10);
  for (const Format* format : writable_formats()) {
    const std::vector<uint8_t> whole = encoded(*format, values);
    std::vector<uint8_t> pieces;
    for (size_t begin = 0; begin < values.size(); begin += 256) {
      const auto first = values.begin() + static_cast<ptrdiff_t>(begin);
      const std::vector<uint8_t> piece = encoded(*format, {first, first + 256});
      pieces.insert(pieces.end(), piece.begin(), piece.end());
    }
    EXPECT_EQ(pieces, whole) << format_name(*format);
  }
}

TEST(Encode, KeepsZerosExact) {
  const std::vector<float> zeros(512, 0.0f);
  for (const Format* format : writable_formats()) {
    for (const float value : decoded(*format, encoded(*format, zeros)))
      ASSERT_EQ(value, 0.0f) << format_name(*format);
  }
}

TEST(Encode, KeepsAConstantWithinTheRoundingOfItsScale) {
  for (const float constant : {0.75f, -0.3f, 12.5f}) {
    const std::vector<float> values(256, constant);
    for (const Format* format : writable_formats()) {
      for (const float value : decoded(*format, encoded(*format, values))) {
        // BF16 has 8 significant bits, f16 scales 11; integer scales reach their top for a lone size.
        ASSERT_NEAR(value, constant, std::fabs(constant) * 0x1p-8f) << format_name(*format);
      }
    }
  }
}

TEST(Encode, MakesFiniteBlocksOfHugeNumbers) {
  std::vector<float> values = gaussian(256, 11);
  for (float& value : values) value *= 1e37f;
  values[5] = std::numeric_limits<float>::max();
  values[6] = -std::numeric_limits<float>::max();
  for (const Format* format : writable_formats()) {
    if (!is_block_format(*format)) continue;
    for (const float value : decoded(*format, encoded(*format, values))) {
      ASSERT_TRUE(std::isfinite(value)) << format_name(*format);
    }
  }
}

TEST(Encode, MakesFiniteBlocksOfDenormals) {
  std::vector<float> values = gaussian(256, 12);
  for (float& value : values) value *= 1e-38f;
  values[3] = std::numeric_limits<float>::denorm_min();
  for (const Format* format : writable_formats()) {
    for (const float value : decoded(*format, encoded(*format, values))) {
      ASSERT_LE(std::fabs(value), 1e-4f) << format_name(*format);
    }
  }
}

TEST(Encode, SurvivesNumbersThatAreNotFinite) {
  std::vector<float> values = gaussian(256, 13);
  values[0] = std::nanf("");
  values[40] = HUGE_VALF;
  values[200] = -HUGE_VALF;
  for (const Format* format : writable_formats()) {
    if (!is_block_format(*format)) continue;
    for (const float value : decoded(*format, encoded(*format, values))) {
      ASSERT_TRUE(std::isfinite(value)) << format_name(*format);
    }
  }
}

TEST(EncodeK, KeepsSmallWeightsThatF16ScalesCanHardlyHold) {
  std::vector<float> values = gaussian(256, 14);
  for (float& value : values) value *= 1e-4f;  // standard deviation 2e-6
  for (const Format* format : writable_formats()) {
    if (!is_k_format(*format)) continue;
    EXPECT_LT(relative_error(values, decoded(*format, encoded(*format, values))), 0.1)
        << format_name(*format);
  }
}

TEST(EncodeK, LeavesHalfTheErrorOrLessWithEveryFurtherBit) {
  const std::vector<float> values = gaussian(256 * 64, 15);
  double previous = 1;
  for (const TensorType type :
       {TensorType::q2_k, TensorType::q3_k, TensorType::q4_k, TensorType::q5_k, TensorType::q6_k}) {
    const Format& format = *find_format(type);
    const double error = relative_error(values, decoded(format, encoded(format, values)));
    EXPECT_LT(error, previous / 2) << format_name(format);
    previous = error;
  }
}

}  // namespace
}  // namespace plm::quant
