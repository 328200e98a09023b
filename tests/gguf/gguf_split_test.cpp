#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crafted.h"
#include "temporary_folder.h"

namespace plm::gguf {
namespace {

using namespace crafted;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kF32 = static_cast<uint32_t>(TensorType::f32);

// Shard `number` (from 0) of `count`, with one float tensor named t0, t1, ... that holds its number.
Contents shard(uint16_t number, uint16_t count, uint64_t n_tensors) {
  return {.pairs = {pair("split.no", ValueType::u16, crafted::number(number)),
                    pair("split.count", ValueType::u16, crafted::number(count)),
                    pair("split.tensors.count", ValueType::i32, u32(static_cast<uint32_t>(n_tensors))),
                    pair("shard", ValueType::u32, u32(number))},
          .tensors = {tensor(fmt::format("t{}", number), {2}, kF32, 0)},
          .data_bytes = 8};
}

class GgufSplit : public TemporaryFolder {
 protected:
  static std::string name(int number, int count) {
    return fmt::format("m-{:05}-of-{:05}.gguf", number, count);
  }
  void write_three() const {
    for (uint16_t i = 0; i < 3; ++i) write(name(i + 1, 3), file(shard(i, 3, 3)));
  }
};

TEST_F(GgufSplit, AnyShardOpensAllOfThem) {
  write_three();
  for (int opened = 1; opened <= 3; ++opened) {
    const auto parsed = File::open(path(name(opened, 3)));
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(parsed->shard_paths().size(), 3U);
    EXPECT_EQ(parsed->path(), path(name(1, 3)));
    EXPECT_EQ(*parsed->get_uint("shard"), 0U) << "the metadata is the first shard's";
    ASSERT_EQ(parsed->tensors().size(), 3U);
    for (int i = 0; i < 3; ++i) {
      const TensorInfo* tensor = parsed->find_tensor(fmt::format("t{}", i));
      ASSERT_NE(tensor, nullptr);
      EXPECT_EQ(tensor->shard, i);
      EXPECT_EQ(parsed->tensor_data(*tensor).size(), 8U);
      EXPECT_NE(parsed->mapping(i), nullptr);
    }
  }
}

TEST_F(GgufSplit, AMissingShardIsNamed) {
  write_three();
  std::filesystem::remove(path(name(2, 3)));
  const auto parsed = File::open(path(name(1, 3)));
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(parsed.error().message, AllOf(HasSubstr("shard 2 of 3"), HasSubstr("m-00002-of-00003.gguf")));
}

TEST_F(GgufSplit, AShardWithAnotherNameIsRefused) {
  const std::string other = write("renamed.gguf", file(shard(0, 3, 3)));
  EXPECT_THAT(File::open(other).error().message,
              HasSubstr("one of 3 shards, but the name of the file is not like name-00001-of-00003.gguf"));
  const std::string miscounted = write(name(1, 4), file(shard(0, 3, 3)));
  EXPECT_THAT(File::open(miscounted).error().message, HasSubstr("one of 3 shards"));
}

TEST_F(GgufSplit, AShardInThePlaceOfAnotherIsRefused) {
  write_three();
  write(name(2, 3), file(shard(2, 3, 3)));
  EXPECT_THAT(File::open(path(name(1, 3))).error().message,
              HasSubstr("found shard 3 of 3, expected shard 2 of 3"));
  write(name(2, 3), file(shard(1, 4, 3)));
  EXPECT_THAT(File::open(path(name(1, 3))).error().message,
              HasSubstr("found shard 2 of 4, expected shard 2 of 3"));
}

TEST_F(GgufSplit, AWrongNumberOfTensorsIsRefused) {
  write_three();
  write(name(1, 3), file(shard(0, 3, 4)));
  EXPECT_THAT(File::open(path(name(1, 3))).error().message,
              HasSubstr("key split.tensors.count: found 4, expected the 3 tensors of all shards"));
}

TEST_F(GgufSplit, ATensorInTwoShardsIsRefused) {
  write_three();
  Contents second = shard(1, 3, 3);
  second.tensors = shard(0, 3, 3).tensors;
  write(name(2, 3), file(second));
  EXPECT_THAT(File::open(path(name(1, 3))).error().message, HasSubstr("tensor t0: found twice"));
}

TEST_F(GgufSplit, SplitKeysOutOfRangeAreRefused) {
  const auto message = [](const std::string& count, ValueType type, const std::string& number) {
    return refusal({.pairs = {pair("split.count", type, count), pair("split.no", type, number)}});
  };
  EXPECT_THAT(message(u32(2), ValueType::u32, u32(2)),
              HasSubstr("key split.no: found 2, expected below split.count"));
  EXPECT_THAT(message(u32(70000), ValueType::u32, u32(0)), HasSubstr("key split.count: found 70000"));
  EXPECT_THAT(message(u32(0xFFFFFFFF), ValueType::i32, u32(0)), HasSubstr("key split.count: found -1"));
  EXPECT_THAT(message(text("2"), ValueType::string, text("0")), HasSubstr("key split.count: found \"2\""));
  EXPECT_EQ(message(u32(1), ValueType::u32, u32(0)), "accepted");
  EXPECT_EQ(message(u32(0), ValueType::u32, u32(0)), "accepted") << "some tools write 0 for a whole file";
}

TEST_F(GgufSplit, AShardInMemoryCannotFindTheOthers) {
  EXPECT_THAT(refusal(shard(0, 3, 3)),
              HasSubstr("key split.count: found 3, expected a file that is not split"));
}

TEST_F(GgufSplit, AFileThatIsWholeMayHaveAnyName) {
  Contents contents = sample();
  const std::string whole = write(name(1, 3), file(contents));
  EXPECT_TRUE(File::open(whole).ok());
}

}  // namespace
}  // namespace plm::gguf
