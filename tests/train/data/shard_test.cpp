// Token shards: what is written is read, and no damage goes unnoticed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "../../gguf/temporary_folder.h"
#include "train/data/token_shard.h"
#include "train/data/token_shard_format.h"

namespace plm::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Hash128 kTokenizer{1, 2};

class Shards : public TemporaryFolder {
 protected:
  std::string write_shard(std::string_view name, const std::vector<std::vector<int32_t>>& documents,
                          int64_t vocabulary_size = 100, Hash128 tokenizer = kTokenizer) const {
    auto writer = TokenShardWriter::create(path(name), vocabulary_size, tokenizer);
    EXPECT_TRUE(writer.ok());
    for (const auto& document : documents) EXPECT_TRUE(writer->append(document).ok());
    EXPECT_TRUE(writer->finish().ok());
    return path(name);
  }
};

TokenShard open_shard(const std::string& path) {
  auto shard = TokenShard::open(path);
  EXPECT_TRUE(shard.ok()) << (shard.ok() ? "" : shard.error().message);
  return *std::move(shard);
}

std::vector<int64_t> read_all(const TokenShard& shard) {
  std::vector<int64_t> tokens(static_cast<size_t>(shard.header().n_tokens));
  const auto status = shard.read(0, tokens);
  EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message);
  return tokens;
}

std::string error_of(std::string_view bytes) {
  const auto shard = TokenShard::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "x.tokens");
  if (!shard.ok()) return shard.error().message;
  const auto status = shard->verify();
  return status.ok() ? "" : status.error().message;
}

std::vector<int32_t> numbers(int32_t n) {
  std::vector<int32_t> tokens(static_cast<size_t>(n));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

TEST_F(Shards, ReadBackWhatWasWrittenInTwoAndFourBytes) {
  for (const int64_t vocabulary_size : {65'536, 65'537, 151'936}) {
    const auto last = static_cast<int32_t>(vocabulary_size - 1);
    const TokenShard shard =
        open_shard(write_shard("a.tokens", {{5, last}, {}, {7}, {0, 1, 2}}, vocabulary_size));
    EXPECT_EQ(shard.header().token_bytes, vocabulary_size <= 65'536 ? 2 : 4);
    EXPECT_EQ(shard.header().vocabulary_size, vocabulary_size);
    EXPECT_EQ(shard.header().tokenizer, kTokenizer);
    EXPECT_THAT(read_all(shard), ElementsAre(5, last, 7, 0, 1, 2));
    ASSERT_EQ(shard.header().n_documents, 3);
    EXPECT_EQ(shard.document_start(1), 2);
    EXPECT_EQ(shard.document_start(2), 3);
  }
}

TEST_F(Shards, MayBeEmpty) {
  const TokenShard shard = open_shard(write_shard("a.tokens", {}));
  EXPECT_EQ(shard.header().n_tokens, 0);
  EXPECT_EQ(shard.header().n_documents, 0);
}

TEST_F(Shards, AppearOnlyWhenFinished) {
  {
    auto writer = TokenShardWriter::create(path("a.tokens"), 10, kTokenizer);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->append(std::vector<int32_t>{1}).ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(Shards, NoticeEveryChangedByte) {
  const std::string good = read(write_shard("a.tokens", {{1, 2, 3}, {4, 5}}));
  ASSERT_EQ(error_of(good), "");
  for (size_t i = 0; i < good.size(); ++i) {
    // Between the tokens and the list of documents lie bytes that fill up to eight; they count too.
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_NE(error_of(bad), "") << "byte " << i;
  }
}

TEST_F(Shards, NoticeEveryCut) {
  const std::string good = read(write_shard("a.tokens", {{1, 2, 3}, {4, 5}}));
  for (size_t n = 0; n < good.size(); ++n) EXPECT_NE(error_of(good.substr(0, n)), "") << n << " bytes";
  EXPECT_THAT(error_of(good + "x"), HasSubstr("expected"));
}

TEST_F(Shards, NameTheDamagedBlockAndReadTheOthers) {
  const std::string file = write_shard("a.tokens", {numbers(100'000)}, 200'000);
  std::string bytes = read(file);
  const size_t in_third_block = sizeof(shard_format::Header) + 2 * shard_format::kBlockBytes + 10;
  bytes[in_third_block] = static_cast<char>(bytes[in_third_block] + 1);
  write("a.tokens", bytes);
  const TokenShard shard = open_shard(file);
  std::vector<int64_t> some(10);
  EXPECT_TRUE(shard.read(0, some).ok());
  EXPECT_TRUE(shard.read(90'000, some).ok());
  const auto damaged = shard.read(32'765, some);
  ASSERT_FALSE(damaged.ok());
  EXPECT_EQ(damaged.error().kind, ErrorKind::bad_data);
  EXPECT_THAT(damaged.error().message, HasSubstr("a.tokens: block 2 (bytes 131200 to 196735) does not meet"));
  EXPECT_FALSE(shard.verify().ok());
}

TEST_F(Shards, SayWhatElseAFileIs) {
  EXPECT_THAT(error_of(""), HasSubstr("0 bytes"));
  EXPECT_THAT(error_of(std::string(200, 'x')), HasSubstr("not a token shard"));
  std::string later = read(write_shard("a.tokens", {{1}}));
  later[8] = 2;
  EXPECT_THAT(error_of(later), HasSubstr("version 2, this build reads version 1"));
}

TEST_F(Shards, RefuseTokensBeyondTheVocabularyEvenWithGoodChecksums) {
  std::string bytes = read(write_shard("a.tokens", {{99}}));
  auto* header = reinterpret_cast<shard_format::Header*>(bytes.data());
  header->vocabulary_size = 99;
  header->header_checksum =
      hash64(std::as_bytes(std::span(bytes.data(), offsetof(shard_format::Header, header_checksum))));
  EXPECT_EQ(error_of(bytes), "x.tokens: token 0 is 99, the vocabulary has 99");
}

TEST_F(Shards, AreOneStreamWhereverTheyAreCut) {
  // Tokens 0 .. 99 in documents that begin at 0, 10, 11, 40 (a shard begins), 70 (another), 95.
  const auto part = [](int32_t begin, int32_t end) {
    std::vector<int32_t> tokens(static_cast<size_t>(end - begin));
    std::iota(tokens.begin(), tokens.end(), begin);
    return tokens;
  };
  const auto stream = ShardStream::open({write_shard("1", {part(0, 10), part(10, 11), part(11, 40)}),
                                         write_shard("2", {part(40, 70)}), write_shard("empty", {}),
                                         write_shard("3", {part(70, 95), part(95, 100)})});
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ((*stream)->n_tokens(), 100);
  const std::vector<int64_t> starts = {0, 10, 11, 40, 70, 95};
  for (int64_t begin = 0; begin < 100; ++begin) {
    for (int64_t end = begin; end <= 100; end += 7) {
      std::vector<int64_t> tokens(static_cast<size_t>(end - begin));
      ASSERT_TRUE((*stream)->read(begin, tokens).ok());
      for (int64_t i = begin; i < end; ++i) ASSERT_EQ(tokens[static_cast<size_t>(i - begin)], i);
      std::vector<int64_t> expected;
      for (const int64_t start : starts) {
        if (start > begin && start < end) expected.push_back(start);
      }
      ASSERT_EQ((*stream)->document_starts(begin, end), expected) << begin << " " << end;
    }
  }
}

TEST_F(Shards, OfTwoTokenizersDoNotMix) {
  const auto stream =
      ShardStream::open({write_shard("1", {{1}}), write_shard("2", {{1}}, 100, Hash128{3, 4})});
  ASSERT_FALSE(stream.ok());
  EXPECT_THAT(stream.error().message, HasSubstr("2: made with another tokenizer than "));
}

TEST_F(Shards, ChangeTheirFingerprintWithTheirTokens) {
  const auto print = [&](const std::vector<std::vector<int32_t>>& documents) {
    return (*ShardStream::open({write_shard("a", documents)}))->fingerprint();
  };
  const auto base = print({{1, 2}, {3}});
  EXPECT_EQ(base, print({{1, 2}, {3}}));
  EXPECT_NE(base, print({{1, 2}, {4}}));
  EXPECT_NE(base, print({{1}, {2, 3}}));
}

}  // namespace
}  // namespace plm::train
