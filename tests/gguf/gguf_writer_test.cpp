#include "gguf/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "crafted.h"
#include "temporary_folder.h"

namespace plm::gguf {
namespace {

using namespace crafted;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GgufWriter : public TemporaryFolder {
 protected:
  static std::vector<std::byte> pattern(size_t size, int seed) {
    std::vector<std::byte> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + static_cast<size_t>(seed));
    return bytes;
  }
  std::string refusal_of(const MetadataBuilder& metadata, std::vector<TensorDescription> tensors) const {
    const auto writer = Writer::create(path("out.gguf"), metadata, std::move(tensors));
    return writer.ok() ? "accepted" : writer.error().message;
  }
};

TEST_F(GgufWriter, RefusesAFileThatItsDiskHasNoRoomFor) {
  EXPECT_THAT(refusal_of({}, {{.name = "a", .type = TensorType::f32, .shape = {1 << 30, 1 << 24}}}),
              HasSubstr("out.gguf: 72057594038 MB are needed"));
  EXPECT_TRUE(std::filesystem::is_empty(path("")));
}

TEST_F(GgufWriter, WhatIsWrittenIsReadBack) {
  MetadataBuilder metadata;
  metadata.set_string("general.architecture", "plm");
  metadata.set_u32("u32", 7);
  metadata.set_u64("u64", std::numeric_limits<uint64_t>::max());
  metadata.set_i32("i32", -7);
  metadata.set_f32("f32", 0.5F);
  metadata.set_bool("bool", true);
  metadata.set_strings("tokens", std::vector<std::string>{"a", "", "bc"});
  metadata.set_strings("views", std::vector<std::string_view>{"d"});
  metadata.set_u32s("u32s", std::vector<uint32_t>{1, 2});
  metadata.set_i32s("i32s", std::vector<int32_t>{-1, 2});
  metadata.set_f32s("f32s", std::vector<float>{1.5F});
  auto writer = Writer::create(path("out.gguf"), metadata,
                               {{.name = "a", .type = TensorType::f32, .shape = {3}},
                                {.name = "b", .type = TensorType::q8_0, .shape = {32, 2}},
                                {.name = "c", .type = TensorType::f16, .shape = {1, 1, 1, 5}}});
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  EXPECT_EQ(writer->current()->name, "a");
  ASSERT_TRUE(writer->append(pattern(12, 1)).ok());
  const auto b = pattern(68, 2);
  for (const std::byte& byte : b) ASSERT_TRUE(writer->append({&byte, 1}).ok());
  ASSERT_TRUE(writer->append(pattern(10, 3)).ok());
  EXPECT_EQ(writer->current(), nullptr);
  EXPECT_FALSE(std::filesystem::exists(path("out.gguf"))) << "it appears when it is whole";
  ASSERT_TRUE(writer->finish().ok());

  const auto parsed = File::open(path("out.gguf"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->version(), 3U);
  EXPECT_EQ(parsed->file_bytes() % 32, 0U);
  EXPECT_EQ(parsed->metadata().size(), 11U);
  EXPECT_EQ(parsed->metadata()[0].key, "general.architecture");
  EXPECT_EQ(*parsed->get_uint("u32"), 7U);
  EXPECT_EQ(*parsed->get_uint("u64"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parsed->find("i32")->number()->to_int(), -7);
  EXPECT_EQ(*parsed->get_float("f32"), 0.5);
  EXPECT_EQ(*parsed->get_bool("bool"), true);
  EXPECT_THAT(*parsed->get_strings("tokens"), ElementsAre("a", "", "bc"));
  EXPECT_THAT(*parsed->get_strings("views"), ElementsAre("d"));
  EXPECT_THAT(*parsed->get_int32s("u32s"), ElementsAre(1, 2));
  EXPECT_THAT(*parsed->get_int32s("i32s"), ElementsAre(-1, 2));
  EXPECT_THAT(*parsed->get_floats("f32s"), ElementsAre(1.5F));
  ASSERT_EQ(parsed->tensors().size(), 3U);
  EXPECT_THAT(parsed->tensor_data(parsed->tensors()[0]), ::testing::ElementsAreArray(pattern(12, 1)));
  EXPECT_THAT(parsed->tensor_data(parsed->tensors()[1]), ::testing::ElementsAreArray(b));
  EXPECT_THAT(parsed->tensor_data(parsed->tensors()[2]), ::testing::ElementsAreArray(pattern(10, 3)));
  EXPECT_EQ(parsed->tensors()[2].n_dims, 4);
}

TEST_F(GgufWriter, CopiedMetadataKeepsItsBytesAndOrder) {
  // All types, a signalling NaN (its payload must survive) and nested arrays.
  const std::string original = file(
      {.pairs = {pair("z", ValueType::i64, number<int64_t>(-1)), pair("nan", ValueType::f32, u32(0x7FA00001)),
                 pair("f64", ValueType::f64, u64(0x7FF4000000000001)), pair("i8", ValueType::i8, "\xFE"),
                 pair("u16", ValueType::u16, number<uint16_t>(9)), pair("b", ValueType::boolean, u8(1)),
                 pair("bytes", ValueType::string, text("\xFF\xFE")),
                 pair("a", ValueType::array, array(ValueType::u64, 1, u64(5))),
                 pair("nested", ValueType::array,
                      array(ValueType::array, 2,
                            array(ValueType::string, 1, text("x")) + array(ValueType::array, 0, "")))}});
  const auto parsed = parse(original);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  MetadataBuilder metadata;
  metadata.copy_from(parsed->metadata());
  auto writer = Writer::create(path("copy.gguf"), metadata, {});
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->finish().ok());
  EXPECT_EQ(read(path("copy.gguf")).substr(0, original.size()), original);
}

TEST_F(GgufWriter, SettingAKeyAgainReplacesItInPlace) {
  MetadataBuilder metadata;
  metadata.set_u32("first", 1);
  metadata.set_u32("second", 2);
  metadata.set_string("first", "now text");
  metadata.set_u32("third", 3);
  metadata.remove("second");
  ASSERT_EQ(metadata.entries().size(), 2U);
  EXPECT_EQ(metadata.entries()[0].key, "first");
  EXPECT_EQ(metadata.find("second"), nullptr);
  auto writer = Writer::create(path("out.gguf"), metadata, {});
  ASSERT_TRUE(writer->finish().ok());
  EXPECT_EQ(*File::open(path("out.gguf"))->get_string("first"), "now text");
}

TEST_F(GgufWriter, TheAlignmentOfTheMetadataIsUsed) {
  MetadataBuilder metadata;
  metadata.set_u32("general.alignment", 256);
  auto writer =
      Writer::create(path("out.gguf"), metadata, {{.name = "a", .shape = {1}}, {.name = "b", .shape = {1}}});
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->append(pattern(4, 1)).ok());
  ASSERT_TRUE(writer->append(pattern(4, 2)).ok());
  ASSERT_TRUE(writer->finish().ok());
  const auto parsed = File::open(path("out.gguf"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->alignment(), 256U);
  EXPECT_EQ(parsed->tensors()[1].file_offset - parsed->tensors()[0].file_offset, 256U);
}

TEST_F(GgufWriter, RefusesWhatTheReaderWouldRefuse) {
  const MetadataBuilder none;
  EXPECT_THAT(refusal_of(none, {{.name = "", .shape = {1}}}), HasSubstr("out.gguf: tensor"));
  EXPECT_THAT(refusal_of(none, {{.name = std::string(65, 'n'), .shape = {1}}}),
              HasSubstr("expected 1 to 64"));
  EXPECT_THAT(refusal_of(none, {{.name = "t", .shape = {1}}, {.name = "t", .shape = {1}}}),
              HasSubstr("found twice"));
  EXPECT_THAT(refusal_of(none, {{.name = "t", .shape = {}}}), HasSubstr("number of dimensions: found 0"));
  EXPECT_THAT(refusal_of(none, {{.name = "t", .shape = {-1}}}), HasSubstr("dimension 0: found -1"));
  EXPECT_THAT(refusal_of(none, {{.name = "t", .type = TensorType::q4_k, .shape = {32}}}),
              HasSubstr("multiple of 256"));
  EXPECT_THAT(refusal_of(none, {{.name = "t", .shape = {int64_t{1} << 40, int64_t{1} << 40}}}),
              HasSubstr("product below 2^63"));
  const int64_t huge = int64_t{1} << 59;
  EXPECT_THAT(refusal_of(none, {{.name = "t", .shape = {huge}}, {.name = "u", .shape = {huge}}}),
              HasSubstr("more than 2^62 bytes"));
  MetadataBuilder bad_key;
  bad_key.set_u32("", 1);
  EXPECT_THAT(refusal_of(bad_key, {}), HasSubstr("found a name of 0 bytes"));
  MetadataBuilder bad_alignment;
  bad_alignment.set_u32("general.alignment", 48);
  EXPECT_THAT(refusal_of(bad_alignment, {}), HasSubstr("key general.alignment: found 48"));
  bad_alignment.set_u64("general.alignment", 32);
  EXPECT_THAT(refusal_of(bad_alignment, {}), HasSubstr("expected a uint32"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "a refusal leaves nothing behind";
}

TEST_F(GgufWriter, TooMuchAndTooLittleDataAreRefused) {
  auto writer = Writer::create(path("out.gguf"), {}, {{.name = "t", .shape = {2}}});
  ASSERT_TRUE(writer.ok());
  EXPECT_THAT(writer->finish().error().message, HasSubstr("tensor t: found 0 bytes of data, expected 8"));
  EXPECT_THAT(writer->append(pattern(9, 0)).error().message,
              HasSubstr("found 9 bytes, expected at most the 8 missing"));
  ASSERT_TRUE(writer->append(pattern(8, 0)).ok());
  EXPECT_FALSE(writer->append(pattern(1, 0)).ok());
  EXPECT_TRUE(writer->finish().ok());
}

TEST_F(GgufWriter, AWriterThatIsDroppedLeavesNothing) {
  {
    const auto writer = Writer::create(path("out.gguf"), {}, {{.name = "t", .shape = {2}}});
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(GgufWriter, AnUnwritablePlaceIsNamed) {
  EXPECT_THAT(Writer::create(path("no/such/folder/out.gguf"), {}, {}).error().message,
              HasSubstr("cannot create: No such file"));
}

}  // namespace
}  // namespace plm::gguf
