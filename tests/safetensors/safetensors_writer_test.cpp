#include "safetensors/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../gguf/temporary_folder.h"

namespace plm::safetensors {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

using SafetensorsWriter = TemporaryFolder;

std::vector<std::byte> pattern(size_t size, int seed) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + static_cast<size_t>(seed));
  return bytes;
}

TEST_F(SafetensorsWriter, WhatIsWrittenIsReadBack) {
  const std::vector<File::MetadataEntry> metadata{{"format", "pt"}, {"note", "é \"quoted\""}};
  auto writer = Writer::create(path("out.safetensors"),
                               {{.name = "b", .dtype = DType::f32, .shape = {2, 3}},
                                {.name = "empty", .dtype = DType::i64, .shape = {0}},
                                {.name = "a", .dtype = DType::bf16, .shape = {5}},
                                {.name = "scalar", .dtype = DType::u8, .shape = {}},
                                {.name = "last empty", .dtype = DType::f16, .shape = {3, 0}}},
                               metadata);
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  ASSERT_TRUE(writer->append(pattern(20, 1)).ok());
  ASSERT_TRUE(writer->append(pattern(4, 9)).ok());
  EXPECT_EQ(writer->current()->name, "a") << "the empty tensor is passed over";
  ASSERT_TRUE(writer->append(pattern(10, 2)).ok());
  ASSERT_TRUE(writer->append(pattern(1, 3)).ok());
  EXPECT_EQ(writer->current(), nullptr);
  EXPECT_FALSE(std::filesystem::exists(path("out.safetensors"))) << "it appears when it is whole";
  ASSERT_TRUE(writer->finish().ok());

  const auto parsed = File::open(path("out.safetensors"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->tensors().size(), 5U);
  EXPECT_EQ(*parsed->find_metadata("note"), "é \"quoted\"");
  EXPECT_THAT(parsed->tensor_data(*parsed->find_tensor("b")).first(20), ElementsAreArray(pattern(20, 1)));
  EXPECT_THAT(parsed->tensor_data(*parsed->find_tensor("a")), ElementsAreArray(pattern(10, 2)));
  EXPECT_THAT(parsed->tensor_data(*parsed->find_tensor("scalar")), ElementsAreArray(pattern(1, 3)));
  EXPECT_EQ(parsed->find_tensor("b")->file_offset % 8, 0U);
}

TEST_F(SafetensorsWriter, RefusesNamesAndShapesThatCannotBe) {
  const auto refusal = [&](std::vector<TensorDescription> tensors) {
    const auto writer = Writer::create(path("out.safetensors"), std::move(tensors));
    return writer.ok() ? "accepted" : writer.error().message;
  };
  EXPECT_THAT(refusal({{.name = "t"}, {.name = "t"}}), HasSubstr("tensor t: found twice"));
  EXPECT_THAT(refusal({{.name = "__metadata__"}}), HasSubstr("reserved"));
  EXPECT_THAT(refusal({{.name = "\xFF"}}), HasSubstr("not UTF-8"));
  EXPECT_THAT(refusal({{.name = "t", .shape = {-1}}}), HasSubstr("found a size of -1"));
  EXPECT_THAT(refusal({{.name = "t", .shape = {int64_t{1} << 40, int64_t{1} << 40}}}),
              HasSubstr("below 2^63"));
  EXPECT_THAT(refusal({{.name = "t", .shape = {int64_t{1} << 60}}, {.name = "u", .shape = {1}}}),
              HasSubstr("2^62"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "a refusal leaves nothing behind";
}

TEST_F(SafetensorsWriter, TooMuchAndTooLittleDataAreRefused) {
  auto writer = Writer::create(path("out.safetensors"), {{.name = "t", .shape = {2}}});
  ASSERT_TRUE(writer.ok());
  EXPECT_THAT(writer->finish().error().message, HasSubstr("tensor t: found 0 bytes of data, expected 8"));
  EXPECT_THAT(writer->append(pattern(9, 0)).error().message,
              HasSubstr("found 9 bytes, expected at most the 8 missing"));
  ASSERT_TRUE(writer->append(pattern(8, 0)).ok());
  EXPECT_FALSE(writer->append(pattern(1, 0)).ok());
  EXPECT_TRUE(writer->finish().ok());
}

}  // namespace
}  // namespace plm::safetensors
