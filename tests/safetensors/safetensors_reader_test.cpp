#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>

#include "safetensors/safetensors_file.h"

namespace plm::safetensors {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string u64(uint64_t value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

std::string file(const std::string& header, size_t data_bytes) {
  std::string bytes = u64(header.size()) + header;
  for (size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>(i);
  return bytes;
}

Result<File> parse(std::string_view bytes) {
  return File::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "test.safetensors");
}

std::string refusal(std::string_view bytes) {
  const auto parsed = parse(bytes);
  return parsed.ok() ? "accepted" : parsed.error().message;
}

// A file with one tensor "t" of this description and 8 bytes of data.
std::string refusal_of(const std::string& description) {
  return refusal(file("{\"t\":" + description + "}", 8));
}

const std::string kSample = R"({"__metadata__":{"format":"pt","b":"2"},)"
                            R"("second":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]},)"
                            R"("none":{"dtype":"F32","shape":[4,0],"data_offsets":[8,8]},)"
                            R"("first":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                            R"("one":{"dtype":"BOOL","shape":[],"data_offsets":[14,15]}}  )";

TEST(SafetensorsReader, ReadsTensorsAndMetadata) {
  const std::string bytes = file(kSample, 15);
  const auto parsed = parse(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->path(), "test.safetensors");
  EXPECT_EQ(parsed->file_bytes(), bytes.size());
  EXPECT_EQ(*parsed->find_metadata("format"), "pt");
  EXPECT_EQ(parsed->find_metadata("absent"), nullptr);
  EXPECT_EQ(parsed->metadata().size(), 2U);
  ASSERT_EQ(parsed->tensors().size(), 4U);
  EXPECT_EQ(parsed->tensors()[0].name, "first") << "in the order of their data";
  EXPECT_EQ(parsed->find_tensor("absent"), nullptr);
  const TensorInfo* second = parsed->find_tensor("second");
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->dtype, DType::bf16);
  EXPECT_THAT(second->shape, ElementsAre(3));
  const auto data = parsed->tensor_data(*second);
  ASSERT_EQ(data.size(), 6U);
  EXPECT_EQ(data[0], std::byte{8});
  EXPECT_THAT(parsed->find_tensor("one")->shape, IsEmpty());
  EXPECT_THAT(parsed->tensor_data(*parsed->find_tensor("none")), IsEmpty());
}

TEST(SafetensorsReader, KnowsTheSizeOfEveryType) {
  constexpr std::array<std::pair<const char*, uint64_t>, 13> kSizes{{{"BOOL", 1},
                                                                     {"U8", 1},
                                                                     {"I8", 1},
                                                                     {"U16", 2},
                                                                     {"I16", 2},
                                                                     {"U32", 4},
                                                                     {"I32", 4},
                                                                     {"U64", 8},
                                                                     {"I64", 8},
                                                                     {"F16", 2},
                                                                     {"BF16", 2},
                                                                     {"F32", 4},
                                                                     {"F64", 8}}};
  for (const auto& [name, bytes] : kSizes) {
    const std::string text =
        file(fmt::format(R"({{"t":{{"dtype":"{}","shape":[2],"data_offsets":[0,{}]}}}})", name, 2 * bytes),
             2 * bytes);
    const auto parsed = parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(dtype_name(parsed->tensors()[0].dtype), name);
  }
}

TEST(SafetensorsReader, AcceptsAFileWithoutTensors) { EXPECT_EQ(refusal(file("{}", 0)), "accepted"); }

TEST(SafetensorsReader, TruncationAtEveryByteIsAnErrorThatNamesTheFile) {
  const std::string whole = file(kSample, 15);
  for (size_t size = 0; size < whole.size(); ++size) {
    // An exact heap block, so that the address sanitizer sees a read beyond it.
    const auto copy = std::make_unique<char[]>(size);
    std::copy_n(whole.data(), size, copy.get());
    ASSERT_THAT(refusal(std::string_view(copy.get(), size)), StartsWith("test.safetensors: ")) << size;
  }
}

TEST(SafetensorsReader, RefusesHeaderLengthsBeyondTheFile) {
  EXPECT_THAT(refusal(""), HasSubstr("found a file of 0 bytes, expected at least 8"));
  for (const uint64_t length : {uint64_t{3}, uint64_t{1} << 62, ~uint64_t{0}, ~uint64_t{0} - 7}) {
    EXPECT_THAT(refusal(u64(length) + "{}"), HasSubstr("header length: found"));
  }
}

TEST(SafetensorsReader, RefusesHeadersThatAreNoJsonObject) {
  for (const char* header : {"", "[]", "1", "null", "{", "{}x", "{\"a\":1,}", "\xFF", "\"text\""}) {
    EXPECT_THAT(refusal(file(header, 0)), HasSubstr("header: found text that is not a JSON object"))
        << header;
  }
}

TEST(SafetensorsReader, RefusesDeepNestingAndKeysGivenTwice) {
  const std::string deep(1000000, '[');
  EXPECT_THAT(refusal(file("{\"t\":" + deep, 0)), HasSubstr("test.safetensors: header"));
  EXPECT_THAT(refusal(file("{\"t\":[[[[[[[]]]]]]]}", 0)), HasSubstr("levels of nesting"));
  EXPECT_THAT(refusal(file(R"({"__metadata__":{"a":"1","a":"2"}})", 0)),
              HasSubstr("header: \"a\": found twice"));
  const std::string tensor = R"("t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_THAT(refusal(file("{" + tensor + "," + tensor + "}", 0)),
              HasSubstr("\"t\": found twice, expected once"));
  EXPECT_THAT(refusal_of(R"({"dtype":"U8","dtype":"F32","shape":[2],"data_offsets":[0,8]})"),
              HasSubstr("found twice"));
}

TEST(SafetensorsReader, RefusesFieldsThatAreMissingOrOfTheWrongKind) {
  EXPECT_EQ(refusal_of(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "accepted");
  EXPECT_THAT(refusal_of("7"), HasSubstr("tensor \"t\": found number, expected an object with dtype"));
  EXPECT_THAT(refusal_of(R"({"shape":[2],"data_offsets":[0,8]})"),
              HasSubstr("expected an object with dtype"));
  EXPECT_THAT(refusal_of(R"({"dtype":"F32","data_offsets":[0,8]})"),
              HasSubstr("expected an object with dtype"));
  EXPECT_THAT(refusal_of(R"({"dtype":"F32","shape":[2]})"), HasSubstr("expected an object with dtype"));
  EXPECT_THAT(refusal_of(R"({"dtype":"F4","shape":[2],"data_offsets":[0,8]})"),
              HasSubstr("dtype: found \"F4\""));
  EXPECT_THAT(refusal_of(R"({"dtype":4,"shape":[2],"data_offsets":[0,8]})"),
              HasSubstr("dtype: found number"));
  EXPECT_THAT(refusal_of(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})"),
              HasSubstr("shape: found number"));
  EXPECT_THAT(refusal_of(R"({"dtype":"F32","shape":[2],"data_offsets":8})"),
              HasSubstr("expected an array of two"));
  EXPECT_THAT(refusal_of(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4,8]})"),
              HasSubstr("expected an array of two"));
  EXPECT_THAT(refusal(file(R"({"__metadata__":[]})", 0)),
              HasSubstr("__metadata__: found array, expected an object"));
  EXPECT_THAT(refusal(file(R"({"__metadata__":{"a":1}})", 0)),
              HasSubstr("\"a\": found number, expected a string"));
}

TEST(SafetensorsReader, RefusesNumbersThatAreNoSizes) {
  for (const char* size :
       {"-1", "1.5", "\"2\"", "9223372036854775808", "99999999999999999999", "null", "1e3"}) {
    EXPECT_THAT(refusal_of(fmt::format(R"({{"dtype":"F32","shape":[{}],"data_offsets":[0,8]}})", size)),
                HasSubstr("shape: found"))
        << size;
    EXPECT_THAT(refusal_of(fmt::format(R"({{"dtype":"F32","shape":[2],"data_offsets":[0,{}]}})", size)),
                HasSubstr("data_offsets: found"))
        << size;
  }
}

TEST(SafetensorsReader, RefusesShapesWhoseProductOverflows) {
  EXPECT_THAT(refusal_of(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})"),
              HasSubstr("expected a product below 2^63 bytes"));
  EXPECT_THAT(refusal_of(R"({"dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8]})"),
              HasSubstr("expected a product below 2^63 bytes"));
}

TEST(SafetensorsReader, RefusesOffsetsThatDoNotFitTheFileOrTheShape) {
  EXPECT_THAT(refusal_of(R"({"dtype":"U8","shape":[16],"data_offsets":[0,16]})"),
              HasSubstr("expected a range within the 8 bytes of data"));
  EXPECT_THAT(refusal_of(R"({"dtype":"U8","shape":[4],"data_offsets":[8,4]})"), HasSubstr("found 8 to 4"));
  EXPECT_THAT(refusal_of(R"({"dtype":"U8","shape":[4],"data_offsets":[0,8]})"),
              HasSubstr("found 8 bytes, expected the 4 of dtype and shape"));
}

TEST(SafetensorsReader, RefusesOverlapsGapsAndBytesLeftOver) {
  const auto two = [](const char* a, const char* b) {
    return refusal(file(fmt::format(R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":{}}},)"
                                    R"("b":{{"dtype":"U8","shape":[4],"data_offsets":{}}}}})",
                                    a, b),
                        10));
  };
  EXPECT_THAT(two("[0,4]", "[2,6]"),
              HasSubstr("tensor \"b\": data_offsets: found a start of 2, expected 4 (it overlaps"));
  EXPECT_THAT(two("[0,4]", "[0,4]"), HasSubstr("it overlaps"));
  EXPECT_THAT(two("[0,4]", "[6,10]"), HasSubstr("there is a gap"));
  EXPECT_THAT(two("[4,8]", "[0,4]"), HasSubstr("data: found 10 bytes, expected the 8 of all tensors"));
}

TEST(SafetensorsReader, NamesInMessagesCannotDriveATerminal) {
  EXPECT_THAT(refusal(file(R"({"\u001b[2J":1})", 0)), HasSubstr(R"(tensor "\u001b[2J": found number)"));
}

TEST(SafetensorsReader, ReadsTheOracleModel) {
  const std::string path = PLM_SOURCE_DIR "/../shared/oracles/model.safetensors";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const auto parsed = File::open(path);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->tensors().size(), 29U);
  const TensorInfo* embedding = parsed->find_tensor("model.embed_tokens.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_THAT(embedding->shape, ElementsAre(512, 128));
  // Column 0 of the embedding is near the constant 0.6 by construction.
  float first = 0;
  std::memcpy(&first, parsed->tensor_data(*embedding).data(), sizeof(first));
  EXPECT_NEAR(first, 0.6F, 0.1F);
}

TEST(SafetensorsReader, AMissingFileIsNamed) {
  EXPECT_THAT(File::open("/no/such/file").error().message, HasSubstr("/no/such/file: cannot open"));
}

}  // namespace
}  // namespace plm::safetensors
