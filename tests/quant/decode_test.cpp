#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "base/half.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant_test_support.h"

namespace plm::quant {
namespace {

// A golden file: blocks, then the values that the `gguf` Python package gives them.
struct Golden {
  std::vector<uint8_t> blocks;
  std::vector<float> values;
};

Golden read_decode_golden(TensorType type) {
  const TensorTypeInfo& info = tensor_type_info(type);
  const std::string file = read_golden("decode_" + std::string(info.name) + ".bin");
  const size_t per_block =
      static_cast<size_t>(info.block_bytes) + 4 * static_cast<size_t>(info.block_elements);
  const size_t split = file.size() / per_block * static_cast<size_t>(info.block_bytes);
  return {{file.begin(), file.begin() + static_cast<ptrdiff_t>(split)}, floats_of(file.substr(split))};
}

TEST(Decode, EqualsThePythonPackageBitForBit) {
  for (const Format& format : all_formats()) {
    if (format.type == TensorType::f32) continue;
    SCOPED_TRACE(format_name(format));
    const Golden golden = read_decode_golden(format.type);
    ASSERT_FALSE(golden.values.empty());
    const std::vector<float> values = decoded(format, golden.blocks);
    ASSERT_EQ(values.size(), golden.values.size());
    EXPECT_TRUE(same_bits(values.data(), golden.values.data(), values.size()));
  }
}

TEST(Decode, OfF32CopiesEveryBit) {
  const std::vector<float> values = {0.0f, -0.0f, 1e-45f, -3.5f, HUGE_VALF};
  const Format* format = find_format(TensorType::f32);
  const std::vector<float> copy = decoded(*format, encoded(*format, values));
  EXPECT_TRUE(same_bits(values.data(), copy.data(), values.size()));
}

TEST(Formats, AreFoundByTypeAndOnlyThoseComputedWith) {
  EXPECT_EQ(all_formats().size(), 15U);
  for (const Format& format : all_formats()) EXPECT_EQ(find_format(format.type), &format);
  EXPECT_EQ(find_format(TensorType::iq2_xxs), nullptr);
  EXPECT_EQ(find_format(TensorType::q8_1), nullptr);
  EXPECT_EQ(find_format(TensorType::i32), nullptr);
}

TEST(Formats, WriteAllButIQ4_XS) {
  for (const Format& format : all_formats()) {
    EXPECT_EQ(format.encode == nullptr, format.type == TensorType::iq4_xs) << format_name(format);
  }
}

// The values of one block from its unpacked parts, by the formula in the format's header.
template <class Block, size_t kElements, class Value>
void expect_unpacked_formula(TensorType type, Value value_of) {
  const Golden golden = read_decode_golden(type);
  for (size_t b = 0; b < golden.blocks.size() / sizeof(Block); ++b) {
    Block block;
    std::memcpy(&block, golden.blocks.data() + b * sizeof(Block), sizeof(Block));
    const std::array<float, kElements> values = value_of(block);
    ASSERT_TRUE(same_bits(values.data(), golden.values.data() + b * kElements, kElements)) << "block " << b;
  }
}

TEST(Unpack, GivesTheValuesOfQ4_0) {
  expect_unpacked_formula<BlockQ4_0, 32>(TensorType::q4_0, [](const BlockQ4_0& block) {
    std::array<float, 32> values;
    uint8_t codes[32];
    float scale;
    unpack_q4_0(block, codes, &scale);
    for (size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(codes[i] - 8);
    return values;
  });
}

TEST(Unpack, GivesTheValuesOfQ5_0) {
  expect_unpacked_formula<BlockQ5_0, 32>(TensorType::q5_0, [](const BlockQ5_0& block) {
    std::array<float, 32> values;
    uint8_t codes[32];
    float scale;
    unpack_q5_0(block, codes, &scale);
    for (size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(codes[i] - 16);
    return values;
  });
}

TEST(Unpack, GivesTheValuesOfQ8_0) {
  expect_unpacked_formula<BlockQ8_0, 32>(TensorType::q8_0, [](const BlockQ8_0& block) {
    std::array<float, 32> values;
    int8_t codes[32];
    float scale;
    unpack_q8_0(block, codes, &scale);
    for (size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(codes[i]);
    return values;
  });
}

TEST(Unpack, GivesTheValuesOfIQ4_NL) {
  expect_unpacked_formula<BlockIq4Nl, 32>(TensorType::iq4_nl, [](const BlockIq4Nl& block) {
    std::array<float, 32> values;
    uint8_t codes[32];
    float scale;
    unpack_iq4_nl(block, codes, &scale);
    for (size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(kIq4Values[codes[i]]);
    return values;
  });
}

template <class Block>
using UnpackAboveMinimum = void (*)(const Block&, uint8_t*, float*, float*);

template <class Block>
void expect_affine_formula(TensorType type, UnpackAboveMinimum<Block> unpack) {
  expect_unpacked_formula<Block, 32>(type, [unpack](const Block& block) {
    std::array<float, 32> values;
    uint8_t codes[32];
    float scale, min;
    unpack(block, codes, &scale, &min);
    for (size_t i = 0; i < 32; ++i) {
      const volatile float product = scale * static_cast<float>(codes[i]);  // rounded before the sum
      values[i] = product + min;
    }
    return values;
  });
}

TEST(Unpack, GivesTheValuesOfQ4_1) { expect_affine_formula<BlockQ4_1>(TensorType::q4_1, unpack_q4_1); }
TEST(Unpack, GivesTheValuesOfQ5_1) { expect_affine_formula<BlockQ5_1>(TensorType::q5_1, unpack_q5_1); }

// Formats with integer scales and minima: values from the integers alone.
template <class Block, size_t kSubBlocks>
void expect_integer_formula(TensorType type, void (*unpack_scales)(const Block&, uint8_t*, uint8_t*),
                            void (*unpack_codes)(const Block&, uint8_t*)) {
  expect_unpacked_formula<Block, 256>(type, [&](const Block& block) {
    std::array<float, 256> values;
    uint8_t scales[kSubBlocks], mins[kSubBlocks], codes[256];
    unpack_scales(block, scales, mins);
    unpack_codes(block, codes);
    for (size_t i = 0; i < 256; ++i) {
      const size_t b = i / (256 / kSubBlocks);
      const float scale = f16_to_f32(block.d) * static_cast<float>(scales[b]);
      const volatile float product = scale * static_cast<float>(codes[i]);
      const volatile float min = f16_to_f32(block.dmin) * static_cast<float>(mins[b]);
      values[i] = product - min;
    }
    return values;
  });
}

TEST(Unpack, GivesTheIntegersOfQ2_K) {
  expect_integer_formula<BlockQ2K, 16>(TensorType::q2_k, unpack_scales_q2_k, unpack_codes_q2_k);
}
TEST(Unpack, GivesTheIntegersOfQ4_K) {
  expect_integer_formula<BlockQ4K, 8>(TensorType::q4_k, unpack_scales_q4_k, unpack_codes_q4_k);
}
TEST(Unpack, GivesTheIntegersOfQ5_K) {
  expect_integer_formula<BlockQ5K, 8>(TensorType::q5_k, unpack_scales_q5_k, unpack_codes_q5_k);
}

// Formats around zero or with a codebook: integer scales, then a level for each code.
template <class Block, size_t kSubBlocks>
void expect_level_formula(TensorType type, const std::function<void(const Block&, int8_t*)>& unpack_scales,
                          void (*unpack_codes)(const Block&, uint8_t*), int (*level)(uint8_t code)) {
  expect_unpacked_formula<Block, 256>(type, [&](const Block& block) {
    std::array<float, 256> values;
    int8_t scales[kSubBlocks];
    uint8_t codes[256];
    unpack_scales(block, scales);
    unpack_codes(block, codes);
    for (size_t i = 0; i < 256; ++i) {
      const size_t b = i / (256 / kSubBlocks);
      const float scale = f16_to_f32(block.d) * static_cast<float>(scales[b]);
      values[i] = scale * static_cast<float>(level(codes[i]));
    }
    return values;
  });
}

TEST(Unpack, GivesTheIntegersOfQ3_K) {
  expect_level_formula<BlockQ3K, 16>(TensorType::q3_k, unpack_scales_q3_k, unpack_codes_q3_k,
                                     [](uint8_t code) { return code - 4; });
}
TEST(Unpack, GivesTheIntegersOfQ6_K) {
  expect_level_formula<BlockQ6K, 16>(
      TensorType::q6_k, [](const BlockQ6K& block, int8_t* scales) { std::memcpy(scales, block.scales, 16); },
      unpack_codes_q6_k, [](uint8_t code) { return code - 32; });
}
TEST(Unpack, GivesTheIntegersOfIQ4_XS) {
  expect_level_formula<BlockIq4Xs, 8>(TensorType::iq4_xs, unpack_scales_iq4_xs, unpack_codes_iq4_xs,
                                      [](uint8_t code) { return static_cast<int>(kIq4Values[code]); });
}

}  // namespace
}  // namespace plm::quant
