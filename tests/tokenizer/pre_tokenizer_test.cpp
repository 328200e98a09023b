#include "tokenizer/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace plm::tokenizer {
namespace {

using namespace std::string_literals;

using Words = std::vector<std::string>;

Words words_of(PreTokenizer kind, std::string_view text) {
  Words words;
  WordSplitter splitter(kind, text);
  for (auto word = splitter.next(); !word.empty(); word = splitter.next()) words.emplace_back(word);
  return words;
}

TEST(PreTokenizer, NamesMissingAndUnknownOnes) {
  EXPECT_EQ(find_pre_tokenizer(""), PreTokenizer::plain);
  EXPECT_EQ(find_pre_tokenizer("llama3"), PreTokenizer::llama3);
  EXPECT_EQ(find_pre_tokenizer("qwen3"), std::nullopt);
  EXPECT_NE(known_pre_tokenizers().find("deepseek-llm"), std::string::npos);
}

TEST(PreTokenizer, Qwen2KeepsBlankBeforeWordAndCutsEveryDigit) {
  EXPECT_EQ(words_of(PreTokenizer::qwen2, "Hello  world 123."),
            (Words{"Hello", " ", " world", " ", "1", "2", "3", "."}));
  EXPECT_EQ(words_of(PreTokenizer::qwen2, "I'LL (see)\r\n\n x\n "),
            (Words{"I", "'LL", " (", "see", ")\r\n\n", " x", "\n", " "}));
}

TEST(PreTokenizer, Qwen2EndsABlankRunAfterItsLastLineEnd) {
  EXPECT_EQ(words_of(PreTokenizer::qwen2, "a \n \n  b"), (Words{"a", " \n \n", " ", " b"}));
}

TEST(PreTokenizer, Qwen2FoldsTheLongS) {
  EXPECT_EQ(words_of(PreTokenizer::qwen2, "a'\u017Fb"), (Words{"a", "'\u017F", "b"}));
}

TEST(PreTokenizer, Llama3TakesThreeDigitsAtATime) {
  EXPECT_EQ(words_of(PreTokenizer::llama3, "1234567 x"), (Words{"123", "456", "7", " x"}));
}

TEST(PreTokenizer, Gpt2KnowsContractionsInLowerCaseOnly) {
  EXPECT_EQ(words_of(PreTokenizer::gpt2, "we've WE'VE 12 34"),
            (Words{"we", "'ve", " WE", "'", "VE", " 12", " 34"}));
  EXPECT_EQ(words_of(PreTokenizer::gpt2, "a   b  "), (Words{"a", "  ", " b", "  "}));
}

TEST(PreTokenizer, SmollmCutsDigitsBeforeWords) {
  EXPECT_EQ(words_of(PreTokenizer::smollm, "ab 12 c"), (Words{"ab", " ", "1", "2", " c"}));
}

TEST(PreTokenizer, DefaultSplitsPunctuationAndThreeDigits) {
  EXPECT_EQ(words_of(PreTokenizer::plain, "a-b 12345$"), (Words{"a", "-", "b", " ", "123", "45", "$"}));
}

TEST(PreTokenizer, DeepseekKeepsChineseRunsAndLineEndsApart) {
  EXPECT_EQ(words_of(PreTokenizer::deepseek_llm, "Hi 你好，123 ok\n\n"),
            (Words{"Hi", " ", "你好", "，", "123", " ok", "\n", "\n"}));
  EXPECT_EQ(words_of(PreTokenizer::deepseek_llm, "x \t "), (Words{"x", " \t "}));
}

TEST(PreTokenizer, TakesBrokenBytesAsSymbols) {
  EXPECT_EQ(words_of(PreTokenizer::qwen2, "a\xFF\xC3 b"), (Words{"a", "\xFF\xC3", " b"}));
}

TEST(PreTokenizer, WordsOfAnyBytesJoinToTheText) {
  std::mt19937 random(7);
  const std::string interesting = "aZ09 '\t\r\n.\0\xC3\xA9\xE4\xBD\xA0\xFF\xF0\x9F\x98\x80\xE2\x80\xA8"s;
  for (const PreTokenizer kind : {PreTokenizer::plain, PreTokenizer::gpt2, PreTokenizer::qwen2,
                                  PreTokenizer::llama3, PreTokenizer::smollm, PreTokenizer::deepseek_llm}) {
    for (int round = 0; round < 500; ++round) {
      std::string text;
      for (std::size_t length = random() % 64; length > 0; --length) {
        text.push_back(random() % 4 == 0 ? static_cast<char>(random())
                                         : interesting[random() % interesting.size()]);
      }
      std::string joined;
      for (const std::string& word : words_of(kind, text)) joined += word;
      ASSERT_EQ(joined, text);
    }
  }
}

}  // namespace
}  // namespace plm::tokenizer
