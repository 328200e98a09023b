// Vocabularies that contradict themselves: refused with the key's name, never trusted.
#include "tokenizer/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "small_vocabularies.h"
#include "tokenizer/tokenizer.h"

namespace plm::tokenizer {
namespace {

using testing::HasSubstr;

void expect_refused(VocabularyData data, ErrorKind kind, const std::string& message_part) {
  const auto tokenizer = Tokenizer::create(std::move(data));
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.error().kind, kind);
  EXPECT_THAT(tokenizer.error().message, HasSubstr(message_part));
}

TEST(Vocabulary, RefusesNoTokens) {
  VocabularyData data;
  data.model = "gpt2";
  expect_refused(data, ErrorKind::bad_data, "tokenizer.ggml.tokens");
}

TEST(Vocabulary, RefusesScoresAndTypesOfAnotherLength) {
  VocabularyData data = sentencepiece_vocabulary();
  data.scores.pop_back();
  expect_refused(data, ErrorKind::bad_data, "tokenizer.ggml.scores: found 258 entries, expected 259");
  data = sentencepiece_vocabulary();
  data.types.push_back(kNormal);
  expect_refused(data, ErrorKind::bad_data, "tokenizer.ggml.token_type: found 260 entries, expected 259");
}

TEST(Vocabulary, RefusesTypesAndScoresThatAreNone) {
  VocabularyData data = sentencepiece_vocabulary();
  data.types[4] = 7;
  expect_refused(data, ErrorKind::bad_data, "tokenizer.ggml.token_type: entry 4: found 7");
  data.types[4] = -1;
  expect_refused(data, ErrorKind::bad_data, "tokenizer.ggml.token_type: entry 4: found -1");
  data = sentencepiece_vocabulary();
  data.scores[9] = std::numeric_limits<float>::quiet_NaN();
  expect_refused(data, ErrorKind::bad_data, "tokenizer.ggml.scores: entry 9");
}

TEST(Vocabulary, RefusesByteTokensThatNameNoByte) {
  for (const char* const text :
       {"<0x-1>", "<0x>", "<0x1>", "<0x100>", "<0xGG>", "<0x4 >", "", "A", "<0x41"}) {
    VocabularyData data = sentencepiece_vocabulary();
    data.tokens[3] = text;
    expect_refused(data, ErrorKind::bad_data, "byte token 3");
  }
  EXPECT_EQ(parse_byte_token("<0x4a>"), 0x4A);
}

TEST(Vocabulary, RefusesIdsOutsideTheVocabulary) {
  for (const std::int64_t id : {std::int64_t{256}, std::int64_t{-1}, std::int64_t{1} << 32}) {
    VocabularyData data = byte_level_vocabulary();
    data.bos_id = id;
    expect_refused(data, ErrorKind::bad_data, "tokenizer.ggml.bos_token_id");
  }
  VocabularyData data = byte_level_vocabulary();
  data.eot_id = 1000;
  expect_refused(data, ErrorKind::bad_data,
                 "tokenizer.ggml.eot_token_id: found 1000, expected an id below 256");
}

TEST(Vocabulary, RefusesMergesThatAreNoPairs) {
  for (const char* const merge : {"", "ab", " ", "a ", " ab"}) {
    VocabularyData data = byte_level_vocabulary();
    data.merges = {"a b", merge};
    expect_refused(data, ErrorKind::bad_data, "tokenizer.ggml.merges: entry 1");
  }
}

TEST(Vocabulary, NamesWhatItKnowsWhereAFileAsksForSomethingElse) {
  VocabularyData data = byte_level_vocabulary();
  data.pre_tokenizer = "tekken";
  expect_refused(data, ErrorKind::unsupported, "found \"tekken\", expected one of default, gpt-2, qwen2");
  data = byte_level_vocabulary();
  data.model = "bert";
  expect_refused(data, ErrorKind::unsupported, "tokenizer.ggml.model: found \"bert\"");
  data = byte_level_vocabulary();
  data.normalizer = "NFKC";
  expect_refused(data, ErrorKind::unsupported, "plm.tokenizer.normalizer: found \"NFKC\"");
}

TEST(Vocabulary, TakesEqualAndEmptyTokens) {
  VocabularyData data = byte_level_vocabulary();
  add_token(data, "a");
  add_token(data, "");
  add_token(data, "", kControl);
  const auto tokenizer = Tokenizer::create(std::move(data));
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->encode("a"), (std::vector<TokenId>{256}));
}

TEST(Vocabulary, WorksWithoutScoresTypesAndIds) {
  VocabularyData data = byte_level_vocabulary();
  data.types.clear();
  const auto tokenizer = Tokenizer::create(std::move(data));
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_FALSE(tokenizer->bos());
  EXPECT_FALSE(tokenizer->adds_bos());
}

TEST(Vocabulary, FillsInTheHabitsOfSentencePiece) {
  const auto tokenizer = Tokenizer::create(sentencepiece_vocabulary());
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->unknown(), 0);
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_TRUE(tokenizer->adds_bos());
  EXPECT_FALSE(tokenizer->adds_eos());
}

}  // namespace
}  // namespace plm::tokenizer
