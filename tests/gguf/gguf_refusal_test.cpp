// Files that break the format, one field at a time: each must be refused with a line that names the
// field, what was found and what was expected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "crafted.h"

namespace plm::gguf {
namespace {

using namespace crafted;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kF32 = static_cast<uint32_t>(TensorType::f32);
constexpr uint64_t kMax = ~uint64_t{0};

// One float tensor of the given description, before 64 bytes of data.
std::string refusal_of_tensor(const std::string& description) {
  return refusal({.tensors = {description}, .data_bytes = 64});
}

TEST(GgufRefusal, TruncationAtEveryByteIsAnErrorThatNamesTheFile) {
  const std::string whole = file(sample());
  ASSERT_EQ(refusal(whole), "accepted");
  for (size_t size = 0; size < whole.size(); ++size) {
    // An exact heap block, so that the address sanitizer sees a read beyond it.
    const auto copy = std::make_unique<char[]>(size);
    std::copy_n(whole.data(), size, copy.get());
    ASSERT_THAT(refusal(std::string_view(copy.get(), size)), StartsWith("test.gguf: ")) << size;
  }
}

TEST(GgufRefusal, EveryByteChangedIsReadOrRefusedButNeverFatal) {
  const std::string whole = file(sample());
  size_t refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const char change : {'\x01', '\x80', '\xFF'}) {
      std::string broken = whole;
      broken[i] = static_cast<char>(broken[i] ^ change);
      const auto parsed = parse(broken);
      if (!parsed.ok()) {
        ++refused;
        continue;
      }
      for (const TensorInfo& tensor : parsed->tensors()) {
        ASSERT_LE(tensor.file_offset + static_cast<uint64_t>(tensor.bytes), broken.size());
      }
    }
  }
  EXPECT_GT(refused, whole.size() / 2);
}

TEST(GgufRefusal, WhatIsNotGgufIsNamed) {
  EXPECT_EQ(refusal(""), "test.gguf: found an empty file, expected GGUF");
  EXPECT_EQ(refusal("\x89PNG\r\n\x1A\n"),
            "test.gguf: magic: found \"\\x89PNG\" (a PNG image), expected \"GGUF\"");
  EXPECT_THAT(refusal(std::string_view("PK\x03\x04 and more")), HasSubstr("ZIP archive"));
  EXPECT_THAT(refusal(u64(20) + "{\"__metadata__\":{}}"), HasSubstr("safetensors"));
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1"), HasSubstr("Git LFS"));
  EXPECT_THAT(refusal("tjgg"), HasSubstr("GGJT"));
  EXPECT_THAT(refusal("GGU"), HasSubstr("magic: found \"GGU\", expected \"GGUF\""));
}

TEST(GgufRefusal, ADirectoryAMissingFileAndAnEmptyFileHaveClearMessages) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("plm-gguf-{}", ::getpid());
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "empty.gguf").close();
  EXPECT_THAT(File::open(folder.string()).error().message, HasSubstr("found a directory"));
  EXPECT_THAT(File::open((folder / "absent.gguf").string()).error().message, HasSubstr("No such file"));
  EXPECT_THAT(File::open((folder / "empty.gguf").string()).error().message,
              HasSubstr("empty.gguf: found an empty file, expected GGUF"));
  std::filesystem::remove_all(folder);
}

TEST(GgufRefusal, UnknownVersionsAndBigEndianFiles) {
  EXPECT_EQ(refusal({.version = 1}), "test.gguf: version: found 1, expected 2 or 3");
  EXPECT_EQ(refusal({.version = 4}), "test.gguf: version: found 4, expected 2 or 3");
  EXPECT_EQ(refusal({.version = 0}), "test.gguf: version: found 0, expected 2 or 3");
  EXPECT_THAT(refusal({.version = 0x03000000}), HasSubstr("a big-endian file, expected a little-endian one"));
}

TEST(GgufRefusal, CountsThatTheRestOfTheFileCannotHold) {
  EXPECT_THAT(refusal({.n_pairs = 1}), HasSubstr("number of metadata keys: found 1, expected at most 0"));
  EXPECT_THAT(refusal({.n_tensors = 1}), HasSubstr("number of tensors: found 1, expected at most 0"));
  Contents contents = sample();
  contents.n_tensors = 5;  // they would fit if the metadata took no room
  contents.data_bytes = 0;
  EXPECT_THAT(refusal(contents), HasSubstr("bytes after the metadata"));
}

TEST(GgufRefusal, MoreMetadataKeysThanAnyModelHas) {
  std::string bytes = file({.n_pairs = 65537});
  bytes.resize(bytes.size() + 65537 * 14);
  EXPECT_THAT(refusal(bytes), HasSubstr("number of metadata keys: found 65537, expected at most 65536"));
}

TEST(GgufRefusal, KeysThatAreEmptyTooLongOrGivenTwice) {
  EXPECT_THAT(refusal({.pairs = {pair("", ValueType::u32, u32(1))}}), HasSubstr("key: found a length of 0"));
  EXPECT_THAT(refusal({.pairs = {pair(std::string(65536, 'k'), ValueType::u8, u8(1))}}),
              HasSubstr("found a length of 65536, expected 1 to 65535"));
  EXPECT_EQ(refusal({.pairs = {pair(std::string(65535, 'k'), ValueType::u8, u8(1))}}), "accepted");
  EXPECT_THAT(refusal({.pairs = {pair("k", ValueType::u8, u8(1)), pair("k", ValueType::u8, u8(1))}}),
              HasSubstr("key k: found twice, expected once"));
}

TEST(GgufRefusal, ValueTypesOutOfRange) {
  for (const uint32_t id : {13U, 255U, 0xFFFFFFFFU}) {
    EXPECT_THAT(refusal({.pairs = {text("k") + u32(id) + u64(0)}}),
                AllOf(HasSubstr("metadata 1 of 1: key k: value type"), HasSubstr("expected 0 to 12")));
    EXPECT_THAT(refusal({.pairs = {pair("k", ValueType::array, u32(id) + u64(0))}}),
                HasSubstr("array element type"));
  }
}

TEST(GgufRefusal, BoolsOtherThanZeroAndOne) {
  EXPECT_THAT(refusal({.pairs = {pair("k", ValueType::boolean, u8(2))}}),
              HasSubstr("bool: found 2, expected 0 or 1"));
  EXPECT_THAT(refusal({.pairs = {pair("k", ValueType::array, array(ValueType::boolean, 2, "\x01\x7F"))}}),
              HasSubstr("bool: found 127"));
}

TEST(GgufRefusal, ArraysNestedTooDeep) {
  std::string nested = array(ValueType::u8, 1, "\x01");
  for (int depth = 1; depth < 4; ++depth) nested = array(ValueType::array, 1, nested);
  EXPECT_EQ(refusal({.pairs = {pair("k", ValueType::array, nested)}}), "accepted");
  nested = array(ValueType::array, 1, nested);
  EXPECT_THAT(refusal({.pairs = {pair("k", ValueType::array, nested)}}),
              HasSubstr("more than 4 levels of nesting"));
  for (int depth = 0; depth < 100000; ++depth) nested += type(ValueType::array) + u64(1);
  EXPECT_THAT(refusal({.pairs = {pair("k", ValueType::array, nested)}}), HasSubstr("nesting"));
}

TEST(GgufRefusal, AnAlignmentThatIsNoPowerOfTwoInRange) {
  for (const uint32_t alignment : {1U, 2U, 4U, 12U, 33U, 1U << 21, 0x80000000U, 0xFFFFFFFFU}) {
    EXPECT_THAT(refusal({.pairs = {pair("general.alignment", ValueType::u32, u32(alignment))}}),
                HasSubstr("expected a power of two from 8 to 1048576"));
  }
  EXPECT_EQ(refusal({.pairs = {pair("general.alignment", ValueType::u32, u32(1 << 20))}}), "accepted");
  EXPECT_THAT(refusal({.pairs = {pair("general.alignment", ValueType::u64, u64(32))}}),
              HasSubstr("key general.alignment: found type uint64, expected uint32"));
  EXPECT_THAT(refusal({.pairs = {pair("general.alignment", ValueType::string, text("32"))}}),
              HasSubstr("found type string"));
}

TEST(GgufRefusal, TensorNamesThatAreEmptyTooLongOrGivenTwice) {
  EXPECT_THAT(refusal_of_tensor(tensor("", {1}, kF32, 0)), HasSubstr("name: found a length of 0"));
  EXPECT_THAT(refusal_of_tensor(tensor(std::string(65, 'n'), {1}, kF32, 0)), HasSubstr("expected 1 to 64"));
  EXPECT_EQ(refusal_of_tensor(tensor(std::string(64, 'n'), {1}, kF32, 0)), "accepted");
  EXPECT_EQ(refusal({.tensors = {tensor("t", {1}, kF32, 0), tensor("t", {1}, kF32, 32)}, .data_bytes = 64}),
            "test.gguf: tensor t: found twice, expected once");
}

TEST(GgufRefusal, NamesInMessagesCannotDriveATerminal) {
  EXPECT_THAT(refusal_of_tensor(tensor("\x1B[2J\nx", {}, kF32, 0)),
              HasSubstr("\\x1b[2J\\nx: number of dimensions"));
}

TEST(GgufRefusal, NumbersOfDimensionsOutsideOneToFour) {
  EXPECT_THAT(refusal_of_tensor(tensor("t", {}, kF32, 0)),
              HasSubstr("number of dimensions: found 0, expected 1 to 4"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {1, 1, 1, 1, 1}, kF32, 0)),
              HasSubstr("number of dimensions: found 5"));
  EXPECT_THAT(refusal_of_tensor(text("t") + u32(0xFFFFFFFF) + u64(1) + u32(0) + u64(0)),
              HasSubstr("found 4294967295"));
  EXPECT_EQ(refusal_of_tensor(tensor("t", {1, 1, 1, 1}, kF32, 0)), "accepted");
}

TEST(GgufRefusal, DimensionsOfZeroAndBeyondInt64) {
  EXPECT_THAT(refusal_of_tensor(tensor("t", {4, 0}, kF32, 0)),
              HasSubstr("dimension 1: found 0, expected at least 1"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {kMax}, kF32, 0)),
              HasSubstr("dimension 0: found 18446744073709551615"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {uint64_t{1} << 63}, kF32, 0)), HasSubstr("expected below 2^63"));
}

TEST(GgufRefusal, TensorTypesUnknownOrRemoved) {
  for (const uint32_t id : {4U, 5U, 31U, 32U, 33U, 36U, 37U, 38U, 1000U, 0xFFFFFFFFU}) {
    EXPECT_THAT(refusal_of_tensor(tensor("t", {256}, id, 0)),
                HasSubstr(fmt::format("t: type: found {}", id)));
  }
}

TEST(GgufRefusal, RowsThatAreNoWholeNumberOfBlocks) {
  EXPECT_THAT(refusal_of_tensor(tensor("t", {33}, static_cast<uint32_t>(TensorType::q8_0), 0)),
              HasSubstr("row length: found 33, expected a multiple of 32 for type Q8_0"));
  // 16 x 16 elements would fill a block, but a block may not span rows.
  EXPECT_THAT(refusal_of_tensor(tensor("t", {16, 16}, static_cast<uint32_t>(TensorType::q4_k), 0)),
              HasSubstr("row length: found 16, expected a multiple of 256"));
}

TEST(GgufRefusal, OffsetsThatAreNotAligned) {
  EXPECT_THAT(refusal_of_tensor(tensor("t", {1}, kF32, 4)),
              HasSubstr("tensor t: offset: found 4, expected a multiple of 32"));
}

TEST(GgufRefusal, DataBeyondTheEndOfTheFile) {
  EXPECT_EQ(refusal_of_tensor(tensor("t", {16}, kF32, 0)), "accepted");
  EXPECT_THAT(refusal_of_tensor(tensor("t", {17}, kF32, 0)), HasSubstr("found 68 bytes at offset 0"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {9}, kF32, 32)), HasSubstr("tensor t: data"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {1}, kF32, 64)), HasSubstr("tensor t: data"));
  EXPECT_THAT(refusal({.tensors = {tensor("t", {1}, kF32, 0)}}), HasSubstr("tensor"));
}

TEST(GgufRefusal, TensorsThatOverlap) {
  EXPECT_EQ(refusal({.tensors = {tensor("b", {1}, kF32, 32), tensor("a", {9}, kF32, 0)}, .data_bytes = 64}),
            "test.gguf: tensor b: data: found an overlap with a, expected none");
  EXPECT_THAT(refusal({.tensors = {tensor("a", {1}, kF32, 0), tensor("b", {1}, kF32, 0)}, .data_bytes = 64}),
              HasSubstr("overlap"));
  EXPECT_EQ(refusal({.tensors = {tensor("b", {8}, kF32, 32), tensor("a", {8}, kF32, 0)}, .data_bytes = 64}),
            "accepted");
}

}  // namespace
}  // namespace plm::gguf
