// Causes of published vulnerabilities in readers of GGUF, each as a crafted file: every one must be a
// plain refusal here. Those of tokenizer, server and grammar are tested in their folders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crafted.h"

namespace plm::gguf {
namespace {

using namespace crafted;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr auto kF32 = static_cast<uint32_t>(TensorType::f32);
constexpr uint64_t kMax = ~uint64_t{0};

std::string refusal_of_tensor(const std::string& description) {
  return refusal({.tensors = {description}, .data_bytes = 256});
}

// CVE-2024-21802 (TALOS-2024-1914): n_dims of the file indexed a fixed array of sizes.
TEST(GgufCve, MoreDimensionsThanTheTableOfSizesHolds) {
  EXPECT_THAT(refusal_of_tensor(tensor("t", std::vector<uint64_t>(1000, 1), kF32, 0)),
              HasSubstr("number of dimensions: found 1000, expected 1 to 4"));
}

// CVE-2024-21825 (TALOS-2024-1912): size of an array times size of an element wrapped around.
TEST(GgufCve, AnArrayWhoseBytesOverflow) {
  for (const ValueType element :
       {ValueType::u16, ValueType::f32, ValueType::f64, ValueType::string, ValueType::array}) {
    for (const uint64_t size :
         {kMax, kMax / 2 + 1, kMax / 4 + 1, kMax / 8 + 1, kMax / 16 + 1, uint64_t{1} << 40}) {
      EXPECT_THAT(
          refusal({.pairs = {pair("k", ValueType::array, array(element, size, std::string(64, '\0')))}}),
          HasSubstr("array length: found"));
    }
  }
}

// CVE-2024-21836 (TALOS-2024-1915) and CVE-2024-23605 (TALOS-2024-1916): the counts of the header times
// the size of a record wrapped around.
TEST(GgufCve, HeaderCountsThatOverflow) {
  for (const uint64_t count : {kMax, kMax / 2, kMax / 32 + 2, uint64_t{1} << 58, uint64_t{1} << 32}) {
    EXPECT_THAT(refusal({.n_tensors = count}), HasSubstr("number of tensors: found"));
    EXPECT_THAT(refusal({.n_pairs = count}), HasSubstr("number of metadata keys: found"));
  }
}

// CVE-2024-23496 (TALOS-2024-1913): length + 1 of a string wrapped to an allocation of nothing.
TEST(GgufCve, StringLengthsThatOverflow) {
  for (const uint64_t length : {kMax, kMax - 1, kMax / 2, uint64_t{1} << 32, uint64_t{100}}) {
    EXPECT_THAT(refusal({.pairs = {u64(length) + "key" + std::string(16, '\0')}}),
                HasSubstr("key: found a length of"));
    EXPECT_THAT(refusal({.pairs = {pair("k", ValueType::string, u64(length) + "text")}}),
                HasSubstr("string: found a length of"));
    EXPECT_THAT(
        refusal({.pairs = {pair("k", ValueType::array, array(ValueType::string, 1, u64(length) + "text"))}}),
        HasSubstr("string 0: found a length of"));
    EXPECT_THAT(refusal({.tensors = {u64(length) + "name" + std::string(64, '\0')}}),
                HasSubstr("name: found a length of"));
  }
}

// CVE-2024-32878: an array read in part was freed on the error path although it was never set.
TEST(GgufCve, AnErrorInTheMiddleOfAnArrayOfStrings) {
  EXPECT_THAT(refusal({.pairs = {pair("k", ValueType::array,
                                      array(ValueType::string, 3, text("ok") + text("ok") + u64(kMax)))}}),
              HasSubstr("string 2: found a length of"));
}

// CVE-2024-41130: tensors without a data section behind them led to a null pointer.
TEST(GgufCve, TensorsWithoutData) {
  EXPECT_THAT(refusal({.tensors = {tensor("t", {1}, kF32, 0)}}), HasSubstr("found the end of the file"));
}

// CVE-2025-53630, and CVE-2026-27940 which went round its fix: the sum of sizes and paddings wrapped, so
// that too little was allocated for what was then read.
TEST(GgufCve, SumsOfTensorSizesThatOverflow) {
  const uint64_t quarter = uint64_t{1} << 60;  // of 2^62 bytes as float32
  EXPECT_THAT(refusal({.tensors = {tensor("a", {quarter}, kF32, 0), tensor("b", {quarter}, kF32, 4 * quarter),
                                   tensor("c", {quarter}, kF32, 8 * quarter),
                                   tensor("d", {quarter + 8}, kF32, 12 * quarter)},
                       .data_bytes = 64}),
              HasSubstr("tensor a: data: found 4611686018427387904 bytes"));
  // Offset plus size is 32 modulo 2^64.
  EXPECT_THAT(refusal_of_tensor(tensor("t", {16}, kF32, kMax - 31)),
              HasSubstr("tensor t: data: found 64 bytes"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {1}, kF32, kMax & ~uint64_t{31})), HasSubstr("tensor t: data"));
}

// CVE-2026-33298: the product of dimensions wrapped, so that a tensor of exabytes looked like megabytes.
TEST(GgufCve, ProductsOfDimensionsThatOverflow) {
  const uint64_t big = uint64_t{1} << 32;
  EXPECT_THAT(refusal_of_tensor(tensor("t", {big, big}, kF32, 0)),
              HasSubstr("expected a product below 2^63"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {big, big, big, big}, kF32, 0)), HasSubstr("product below 2^63"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {big, big / 2 - 1}, static_cast<uint32_t>(TensorType::f64), 0)),
              HasSubstr("expected below 2^63 bytes"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {big, big / 4, 3}, static_cast<uint32_t>(TensorType::q8_0), 0)),
              AnyOf(HasSubstr("product below 2^63"), HasSubstr("below 2^63 bytes")));
}

// llama.cpp #24997 and #26318: no upper bound for the alignment, and rounding up to it wrapped to 0.
TEST(GgufCve, AnAlignmentThatMakesRoundingWrap) {
  for (const uint32_t alignment : {0x80000000U, 0x40000000U, 1U << 21}) {
    EXPECT_THAT(refusal({.pairs = {pair("general.alignment", ValueType::u32, u32(alignment))},
                         .tensors = {tensor("t", {1}, kF32, 0)},
                         .data_bytes = 64}),
                HasSubstr("key general.alignment: found"));
  }
}

// CVE-2025-0317: an alignment of 0 was a division by zero.
TEST(GgufCve, AnAlignmentOfZero) {
  EXPECT_THAT(refusal({.pairs = {pair("general.alignment", ValueType::u32, u32(0))},
                       .tensors = {tensor("t", {1}, kF32, 0)},
                       .data_bytes = 64}),
              HasSubstr("key general.alignment: found 0, expected a power of two"));
}

// CVE-2024-39720: a file of four bytes, the magic alone.
TEST(GgufCve, AFileOfFourBytes) {
  EXPECT_THAT(refusal("GGUF"), HasSubstr("version: found 0 bytes left at byte 4, expected at least 4"));
}

// CVE-2025-0312: a key that the program expects is absent, or of another type, and null was followed.
TEST(GgufCve, AnExpectedKeyThatIsAbsentOrOfAnotherType) {
  const std::string bytes = file({.pairs = {pair("general.architecture", ValueType::u32, u32(1))}});
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->get_string("general.architecture").error().kind, ErrorKind::bad_data);
  EXPECT_EQ(parsed->get_strings("tokenizer.ggml.tokens").error().kind, ErrorKind::not_found);
  EXPECT_EQ(parsed->find("absent"), nullptr);
  EXPECT_EQ(parsed->find_tensor("absent"), nullptr);
}

// CVE-2025-0315: a count of the file decided how much was allocated.
TEST(GgufCve, ACountThatAsksForMoreMemoryThanTheFileHasBytes) {
  std::string bytes =
      file({.pairs = {pair("k", ValueType::array, array(ValueType::string, 1000000000, ""))}});
  bytes.resize(bytes.size() + 4096);
  EXPECT_THAT(refusal(bytes), HasSubstr("array length: found 1000000000, expected at most 512"));
}

// CVE-2026-7482: offset plus size beyond the file, so that quantising copied the memory behind it.
TEST(GgufCve, TensorDataBehindTheEndOfTheFile) {
  EXPECT_THAT(refusal_of_tensor(tensor("t", {1024, 1024}, kF32, 0)),
              HasSubstr("expected an end within the 256 bytes"));
  EXPECT_THAT(refusal_of_tensor(tensor("t", {1}, kF32, 256)),
              HasSubstr("expected an end within the 256 bytes"));
}

// CVE-2024-39721: /dev/random given as a model was read for ever.
TEST(GgufCve, ADeviceInsteadOfAFile) {
  EXPECT_THAT(File::open("/dev/zero").error().message, HasSubstr("expected a regular file"));
}

}  // namespace
}  // namespace plm::gguf
