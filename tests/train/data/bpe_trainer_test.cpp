// The trainer of tokenizers, on texts small enough to do by hand. tests/python/test_train_tokenizer.py
// compares it with Hugging Face tokenizers on real text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../gguf/temporary_folder.h"
#include "tokenizer/tokenizer.h"
#include "train/data/bpe_trainer.h"

namespace plm::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

tokenizer::VocabularyData train(const WordCounts& counts, const BpeOptions& options) {
  auto data = train_bpe(counts, options);
  EXPECT_TRUE(data.ok()) << (data.ok() ? "" : data.error().message);
  return *std::move(data);
}

WordCounts counts_of(std::initializer_list<std::pair<std::string_view, int64_t>> words) {
  WordCounts counts;
  for (const auto& [word, count] : words) counts.add(word, count);
  return counts;
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  // The example of Sennrich et al.: es, est and lo, low.
  const auto data = train(counts_of({{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}}),
                          {.vocabulary_size = 261, .special_tokens = {}, .least_count = 1});
  EXPECT_THAT(data.merges, ElementsAre("e s", "es t", "l o", "lo w", "e w"));
  EXPECT_EQ(data.tokens.size(), 261u);
  EXPECT_EQ(data.tokens[257], "est");
}

TEST(BpeTrainer, TakesTheLowerIdsOfEquallyFrequentPairs) {
  const auto data =
      train(counts_of({{"xy", 3}, {"ab", 3}, {"ac", 3}}), {.vocabulary_size = 259, .special_tokens = {}});
  EXPECT_THAT(data.merges, ElementsAre("a b", "a c", "x y"));
}

TEST(BpeTrainer, MergesRunsFromTheLeft) {
  const auto data = train(counts_of({{"aaaaa", 4}}), {.vocabulary_size = 300, .special_tokens = {}});
  EXPECT_THAT(data.merges, ElementsAre("a a", "aa a", "aa aaa"));
}

TEST(BpeTrainer, StopsWherePairsBecomeRare) {
  const auto counts = counts_of({{"ab", 5}, {"cd", 4}, {"ef", 1}});
  EXPECT_EQ(train(counts, {.vocabulary_size = 300, .special_tokens = {}, .least_count = 5}).merges.size(),
            1u);
  EXPECT_EQ(train(counts, {.vocabulary_size = 300, .special_tokens = {}, .least_count = 1}).merges.size(),
            3u);
}

TEST(BpeTrainer, PutsSpecialTokensLastAndNeverMakesThemFromText) {
  const auto data =
      train(counts_of({{"end", 9}, {"ends", 5}}),
            {.vocabulary_size = 262, .special_tokens = {"<|endoftext|>", "end"}, .least_count = 6});
  EXPECT_THAT(data.merges, ElementsAre("e n"));
  EXPECT_EQ(data.tokens.size(), 259u);
  EXPECT_EQ(data.tokens[257], "<|endoftext|>");
  EXPECT_EQ(data.eos_id, 257);
  EXPECT_EQ(data.types[258], static_cast<int32_t>(tokenizer::TokenType::control));
}

TEST(BpeTrainer, GivesATokenizerThatKeepsEveryText) {
  const auto data = train(counts_of({{" the", 9}, {" then", 5}, {"\n", 3}}), {.vocabulary_size = 280});
  const auto tokenizer = tokenizer::Tokenizer::create(data);
  ASSERT_TRUE(tokenizer.ok());
  const std::string text("then the thing\n\0\xff <|endoftext|>", 31);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(BpeTrainer, RefusesWhatCannotBe) {
  const auto error = [](const BpeOptions& options) {
    const auto data = train_bpe(counts_of({{"ab", 5}}), options);
    return data.ok() ? "" : data.error().message;
  };
  EXPECT_THAT(error({.vocabulary_size = 258}), HasSubstr("found 258, expected 259 (256 bytes and 3 special"));
  EXPECT_THAT(error({.vocabulary_size = 300, .special_tokens = {"a", "a"}}),
              HasSubstr("special token 2: \"a\""));
  EXPECT_FALSE(train_bpe(WordCounts(), {.vocabulary_size = 300}).ok());
}

class CountWords : public TemporaryFolder {};

TEST_F(CountWords, CountsTheSameWithAnyThreads) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += fmt::format("word{} other {}\n", i % 700, i % 13);
  const auto file = write("a.txt", text);
  const auto counts = [&](int n_threads) {
    const auto counted = count_words({file}, {.n_threads = n_threads});
    EXPECT_TRUE(counted.ok());
    std::vector<std::pair<std::string, int64_t>> words;
    for (const auto& [word, count] : counted->words()) words.emplace_back(word, count);
    return words;
  };
  const auto one = counts(1);
  EXPECT_EQ(one, counts(4));
  // "word" begins each line, " other" follows; digits stand alone in Qwen2's pattern.
  EXPECT_THAT(one, testing::Contains(std::pair<std::string, int64_t>(" other", 200'000)));
}

TEST_F(CountWords, NamesBadInput) {
  const auto counted = count_words({write("a.jsonl", "{\"text\": 1}\n")}, {});
  ASSERT_FALSE(counted.ok());
  EXPECT_THAT(counted.error().message, HasSubstr("a.jsonl:1: field \"text\": found number"));
}

}  // namespace
}  // namespace plm::train
