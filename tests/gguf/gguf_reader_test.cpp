#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "crafted.h"

namespace plm::gguf {
namespace {

using namespace crafted;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string shared_file(const char* name) { return std::string(PLM_SOURCE_DIR "/../shared/") + name; }

TEST(GgufReader, ReadsHeaderMetadataAndTensors) {
  const std::string bytes = file(sample());
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->version(), 3U);
  EXPECT_EQ(parsed->alignment(), 32U);
  EXPECT_EQ(parsed->file_bytes(), bytes.size());
  EXPECT_EQ(parsed->path(), "test.gguf");
  EXPECT_EQ(parsed->mapping(0), nullptr);
  ASSERT_EQ(parsed->metadata().size(), 5U);
  EXPECT_EQ(parsed->metadata()[1].key, "plm.block_count");

  ASSERT_EQ(parsed->tensors().size(), 2U);
  const TensorInfo& first = parsed->tensors()[0];
  EXPECT_EQ(first.name, "first");
  EXPECT_EQ(first.type, TensorType::q8_0);
  EXPECT_EQ(first.n_dims, 2);
  EXPECT_THAT(first.shape, ElementsAre(32, 2, 1, 1));
  EXPECT_EQ(first.n_elements, 64);
  EXPECT_EQ(first.bytes, 2 * 34);
  const TensorInfo* second = parsed->find_tensor("second");
  ASSERT_EQ(second, &parsed->tensors()[1]);
  EXPECT_EQ(parsed->find_tensor("third"), nullptr);
  const auto data = parsed->tensor_data(*second);
  EXPECT_EQ(data.size(), 20U);
  EXPECT_EQ(data[0], std::byte{96});
  EXPECT_EQ(data.data(), std::as_bytes(std::span(bytes)).data() + second->file_offset);
}

TEST(GgufReader, ReadsVersion2) {
  Contents contents = sample();
  contents.version = 2;
  const std::string bytes = file(contents);
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->version(), 2U);
  EXPECT_EQ(parsed->tensors().size(), 2U);
}

TEST(GgufReader, ReadsEveryScalarType) {
  const std::string bytes =
      file({.pairs = {
                pair("u8", ValueType::u8, number<uint8_t>(255)),
                pair("i8", ValueType::i8, number<int8_t>(-128)),
                pair("u16", ValueType::u16, number<uint16_t>(65535)),
                pair("i16", ValueType::i16, number<int16_t>(-32768)),
                pair("u32", ValueType::u32, number<uint32_t>(4294967295U)),
                pair("i32", ValueType::i32, number<int32_t>(-5)),
                pair("f32", ValueType::f32, number<float>(1.5F)),
                pair("bool", ValueType::boolean, u8(0)),
                pair("string", ValueType::string, text(std::string_view("a\0b", 3))),
                pair("u64", ValueType::u64, u64(std::numeric_limits<uint64_t>::max())),
                pair("i64", ValueType::i64, number(std::numeric_limits<int64_t>::min())),
                pair("f64", ValueType::f64, number<double>(0.1)),
            }});
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(*parsed->get_uint("u8"), 255U);
  EXPECT_EQ(*parsed->find("i8")->number()->to_int(), -128);
  EXPECT_EQ(*parsed->get_uint("u16"), 65535U);
  EXPECT_EQ(*parsed->find("i16")->number()->to_int(), -32768);
  EXPECT_EQ(*parsed->get_uint("u32"), 4294967295U);
  EXPECT_EQ(*parsed->find("i32")->number()->to_int(), -5);
  EXPECT_EQ(*parsed->get_float("f32"), 1.5);
  EXPECT_EQ(*parsed->get_bool("bool"), false);
  EXPECT_EQ(*parsed->get_string("string"), std::string_view("a\0b", 3));
  EXPECT_EQ(*parsed->get_uint("u64"), std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(parsed->find("u64")->number()->to_int().has_value());
  EXPECT_EQ(*parsed->find("i64")->number()->to_int(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(*parsed->get_float("f64"), 0.1);
}

TEST(GgufReader, ReadsArraysOfEveryKind) {
  const std::string bytes = file(
      {.pairs = {pair("x", ValueType::string, text("shifts what follows off its natural alignment")),
                 pair("u16s", ValueType::array,
                      array(ValueType::u16, 2, number<uint16_t>(7) + number<uint16_t>(9))),
                 pair("floats", ValueType::array, array(ValueType::f32, 2, number(0.5F) + number(-2.0F))),
                 pair("doubles", ValueType::array, array(ValueType::f64, 1, number(0.25))),
                 pair("bools", ValueType::array, array(ValueType::boolean, 3, std::string("\0\1\1", 3))),
                 pair("empty", ValueType::array, array(ValueType::i32, 0, "")),
                 pair("strings", ValueType::array, array(ValueType::string, 2, text("one") + text("two"))),
                 pair("nested", ValueType::array,
                      array(ValueType::array, 2,
                            array(ValueType::i8, 1, "\xFF") +
                                array(ValueType::array, 1, array(ValueType::string, 1, text("deep")))))}});
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_THAT(*parsed->get_int32s("u16s"), ElementsAre(7, 9));
  EXPECT_THAT(*parsed->get_floats("floats"), ElementsAre(0.5F, -2.0F));
  EXPECT_THAT(*parsed->get_floats("doubles"), ElementsAre(0.25F));
  EXPECT_EQ(*(*parsed->get_array("bools"))->number(2).to_bool(), true);
  EXPECT_TRUE(parsed->get_int32s("empty")->empty());
  EXPECT_THAT(*parsed->get_strings("strings"), ElementsAre("one", "two"));
  const Array* nested = *parsed->get_array("nested");
  ASSERT_EQ(nested->arrays.size(), 2U);
  EXPECT_EQ(*nested->arrays[0].number(0).to_int(), -1);
  EXPECT_EQ(nested->arrays[1].arrays[0].strings[0], "deep");
}

TEST(GgufReader, GettersNameFileKeyFoundAndExpected) {
  const std::string bytes =
      file({.pairs = {pair("minus", ValueType::i32, number<int32_t>(-1)),
                      pair("name", ValueType::string, text("n")),
                      pair("nan", ValueType::f32, number(std::nanf(""))),
                      pair("wide", ValueType::array, array(ValueType::u32, 2, u32(1) + u32(3000000000U)))}});
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->get_uint("minus").error().message,
            "test.gguf: key minus: found int32 -1, expected an integer that is not negative");
  EXPECT_EQ(parsed->get_uint("name").error().kind, ErrorKind::bad_data);
  EXPECT_EQ(parsed->get_uint("absent").error().kind, ErrorKind::not_found);
  EXPECT_THAT(parsed->get_uint("absent").error().message, HasSubstr("key absent: found nothing"));
  EXPECT_THAT(parsed->get_float("nan").error().message, HasSubstr("expected a finite float"));
  EXPECT_FALSE(parsed->get_float("minus").ok());
  EXPECT_FALSE(parsed->get_bool("minus").ok());
  EXPECT_FALSE(parsed->get_string("minus").ok());
  EXPECT_FALSE(parsed->get_array("minus").ok());
  EXPECT_FALSE(parsed->get_strings("wide").ok());
  EXPECT_FALSE(parsed->get_floats("wide").ok());
  EXPECT_EQ(parsed->get_int32s("wide").error().message,
            "test.gguf: key wide: element 1: found uint32 3000000000, expected an integer of 32 bits");
  EXPECT_FALSE(parsed->get_int32s("name").ok());
}

TEST(GgufReader, DefaultsServeForAbsentKeysButNotForWrongTypes) {
  const std::string bytes = file(sample());
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed->get_uint_or("absent", 7), 7U);
  EXPECT_EQ(*parsed->get_uint_or("plm.block_count", 7), 2U);
  EXPECT_EQ(*parsed->get_float_or("absent", 0.5), 0.5);
  EXPECT_EQ(*parsed->get_bool_or("absent", true), true);
  EXPECT_EQ(*parsed->get_string_or("absent", "none"), "none");
  EXPECT_FALSE(parsed->get_uint_or("flag", 7).ok());
  EXPECT_FALSE(parsed->get_float_or("flag", 7).ok());
  EXPECT_FALSE(parsed->get_bool_or("tokens", false).ok());
  EXPECT_FALSE(parsed->get_string_or("flag", "").ok());
}

TEST(GgufReader, HonoursAnAlignmentOtherThanTheDefault) {
  for (const uint32_t alignment : {8U, 64U, 4096U}) {
    const std::string bytes = file({.pairs = {pair("general.alignment", ValueType::u32, u32(alignment))},
                                    .tensors = {tensor("a", {1}, 0, 0), tensor("b", {1}, 0, alignment)},
                                    .data_bytes = alignment + 4,
                                    .alignment = alignment});
    const auto parsed = parse(bytes);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(parsed->alignment(), alignment);
    EXPECT_EQ(parsed->tensors()[0].file_offset % alignment, 0U);
    EXPECT_EQ(parsed->tensor_data(parsed->tensors()[0])[1], std::byte{1});
  }
}

TEST(GgufReader, KnowsTheSizeOfEveryTensorType) {
  for (const TensorTypeInfo& info : all_tensor_types()) {
    const auto row = static_cast<uint64_t>(2 * info.block_elements);
    const std::string bytes = file({.tensors = {tensor("t", {row, 3}, static_cast<uint32_t>(info.type), 0)},
                                    .data_bytes = static_cast<size_t>(6 * info.block_bytes)});
    const auto parsed = parse(bytes);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(parsed->tensors()[0].bytes, 6 * info.block_bytes) << info.name;
    EXPECT_THAT(refusal(bytes.substr(0, bytes.size() - 1)), HasSubstr("truncated?")) << info.name;
  }
}

TEST(GgufReader, AcceptsAVocabularyWithoutTensorsAndWithoutPadding) {
  const std::string bytes = file({.pairs = {pair("k", ValueType::u8, u8(1))}});
  EXPECT_TRUE(parse(bytes).ok());
}

TEST(GgufReader, AFileStaysValidWhenMoved) {
  const std::string bytes = file(sample());
  auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok());
  const File moved = *std::move(parsed);
  EXPECT_EQ(*moved.get_string("general.architecture"), "plm");
  EXPECT_EQ(moved.find_tensor("first")->bytes, 68);
}

TEST(GgufReader, OpensTheQwen2VocabularyWithoutCopies) {
  const std::string path = shared_file("tokenizers/qwen2/qwen2-vocab.gguf");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const auto parsed = File::open(path);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const auto tokens = parsed->get_strings("tokenizer.ggml.tokens");
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokens->size(), 151936U);
  EXPECT_EQ((*tokens)[0], "!");
  EXPECT_NE(parsed->mapping(0), nullptr);
  // No copies: every token lies within the mapping.
  const auto mapped = parsed->mapping(0)->bytes();
  const auto* begin = reinterpret_cast<const char*>(mapped.data());
  for (const std::string_view token : *tokens) {
    ASSERT_TRUE(token.data() >= begin && token.data() + token.size() <= begin + mapped.size());
  }
}

TEST(GgufReader, OpensTheOracleModels) {
  const std::string path = shared_file("oracles/plm-tiny-f32.gguf");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const auto parsed = File::open(path);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(*parsed->get_string("general.architecture"), "plm");
  EXPECT_EQ(parsed->tensors().size(), 29U);
  const TensorInfo* embedding = parsed->find_tensor("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_THAT(embedding->shape, ElementsAre(128, 512, 1, 1));
}

}  // namespace
}  // namespace plm::gguf
