#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "small_vocabularies.h"

namespace plm::tokenizer {
namespace {

using Ids = std::vector<TokenId>;

Tokenizer make(VocabularyData data) {
  auto tokenizer = Tokenizer::create(std::move(data));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  return *std::move(tokenizer);
}

std::string random_bytes(std::mt19937& random, std::size_t longest) {
  std::string text(random() % (longest + 1), '\0');
  for (char& c : text) c = static_cast<char>(random() % 3 == 0 ? random() : 'a' + random() % 4);
  return text;
}

// BPE as its definition reads, over strings: for comparison.
std::vector<std::string> merge_by_definition(std::string_view word, const std::vector<std::string>& merges) {
  std::map<std::pair<std::string, std::string>, std::size_t> ranks;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto blank = merges[i].find(' ');
    ranks.emplace(std::pair(merges[i].substr(0, blank), merges[i].substr(blank + 1)), i);
  }
  std::vector<std::string> symbols;
  for (const char c : word) symbols.emplace_back(1, c);
  for (;;) {
    std::size_t best_rank = merges.size();
    std::size_t best = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto rank = ranks.find({symbols[i], symbols[i + 1]});
      if (rank != ranks.end() && rank->second < best_rank) {
        best_rank = rank->second;
        best = i;
      }
    }
    if (best_rank == merges.size()) return symbols;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(ByteLevelTokenizer, MergesLikeTheDefinitionInWordsOfEveryLength) {
  std::mt19937 random(11);
  std::vector<std::string> merges = {"b c",   "a b",  "a a", "aa aa",  "c d",
                                     "ab ab", "bc d", "d d", "aaaa a", "dd a"};
  const Tokenizer tokenizer = make(byte_level_vocabulary(merges));
  for (int round = 0; round < 400; ++round) {
    std::string word(1 + random() % (round % 2 == 0 ? 20 : 300), 'a');
    for (char& c : word) c = static_cast<char>('a' + random() % 4);
    std::vector<std::string> symbols;
    for (const TokenId id : tokenizer.encode(word)) symbols.emplace_back(tokenizer.token_bytes(id));
    ASSERT_EQ(symbols, merge_by_definition(word, merges)) << word;
  }
}

TEST(ByteLevelTokenizer, GivesBackAnyBytes) {
  const Tokenizer tokenizer = make(byte_level_vocabulary({"a b", "ab c", "Ġ a"}));
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    const std::string text = random_bytes(random, 100);
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
  EXPECT_TRUE(tokenizer.encode("").empty());
}

TEST(ByteLevelTokenizer, TellsWordsOfNulBytesApart) {
  const Tokenizer tokenizer = make(byte_level_vocabulary());
  for (const std::size_t length : {1U, 2U, 3U, 2U, 1U}) {
    EXPECT_EQ(tokenizer.encode(std::string(length, '\0')), Ids(length, 0));
  }
}

TEST(ByteLevelTokenizer, TakesAMegabyteOfOneLetterOrOfBlanksInGoodTime) {
  const Tokenizer tokenizer = make(byte_level_vocabulary({"a a", "aa aa", "Ġ Ġ", "ĠĠ ĠĠ"}));
  const auto start = std::chrono::steady_clock::now();
  for (const char c : {'a', ' ', '\n', '!'}) {
    const std::string text(std::size_t{1} << 20, c);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
  // A quadratic algorithm takes hours; sanitizers and a busy machine take seconds.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(ByteLevelTokenizer, WritesByteTokensWhereAMergeLeadsToNoToken) {
  VocabularyData data = byte_level_vocabulary({"a b"});
  data.tokens.back() = "other";
  const Tokenizer tokenizer = make(std::move(data));
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{'a', 'b'}));
}

TEST(ByteLevelTokenizer, WritesTheUnknownTokenForAByteWithoutOne) {
  VocabularyData data = byte_level_vocabulary();
  data.tokens['x'] = "other";
  EXPECT_EQ(make(data).encode("xy"), (Ids{'y'}));
  data.unknown_id = 7;
  EXPECT_EQ(make(data).encode("xy"), (Ids{7, 'y'}));
}

TEST(ByteLevelTokenizer, Llama3TakesAWholeWordBeforeMerging) {
  VocabularyData data = byte_level_vocabulary();
  const TokenId word = add_token(data, "Ġcab");
  EXPECT_EQ(make(data).encode(" cab"), (Ids{' ', 'c', 'a', 'b'}));
  data.pre_tokenizer = "llama-bpe";
  EXPECT_EQ(make(data).encode(" cab"), (Ids{word}));
}

TEST(ByteLevelTokenizer, NormalizesOnlyWhereAsked) {
  VocabularyData data = byte_level_vocabulary();
  EXPECT_EQ(make(data).encode("e\u0301").size(), 3U);
  data.normalizer = "NFC";
  EXPECT_EQ(make(data).encode("e\u0301"), make(byte_level_vocabulary()).encode("\u00E9"));
}

// Whether the answer is whole where the text has few enough tokens, and more than `enough` where it has not.
void expect_exact(const Tokenizer& tokenizer, std::string_view text) {
  for (const bool parses_special : {false, true}) {
    EncodeOptions options{.parse_special = parses_special};
    const Ids all = tokenizer.encode(text, options);
    for (std::size_t enough = 0; enough <= all.size() + 2; enough += 1 + all.size() / 7) {
      options.enough = enough;
      const Ids some = tokenizer.encode(text, options);
      if (all.size() > enough) {
        ASSERT_GT(some.size(), enough) << text;
      } else {
        ASSERT_EQ(some, all) << text;
      }
    }
    options.enough = all.size();
    ASSERT_EQ(tokenizer.encode(text, options), all) << text;
  }
}

TEST(Tokenizer, TellsWhetherATextHasMoreTokensThanEnough) {
  std::vector<Tokenizer> tokenizers;
  for (const char* pre_tokenizer : {"default", "gpt-2", "qwen2", "llama-bpe", "smollm", "deepseek-llm"}) {
    VocabularyData data = byte_level_vocabulary({"a b", "ab c", "Ġ a", "a a", "aa aa", "aaaa aaaa"});
    data.pre_tokenizer = pre_tokenizer;
    data.normalizer = "NFC";
    add_token(data, "[abcd]", kControl);
    add_token(data, "<b>", kUserDefined);
    tokenizers.push_back(make(std::move(data)));
  }
  VocabularyData without_x = byte_level_vocabulary({"a b", "a a"});
  without_x.tokens['x'] = "other";  // and comes to no token
  tokenizers.push_back(make(std::move(without_x)));
  VocabularyData pieces = sentencepiece_vocabulary({"▁", "a", "b", "ab", "▁a", "aa", "aaaa", "▁▁", "▁▁▁▁"});
  pieces.add_bos = pieces.add_eos = true;
  tokenizers.push_back(make(std::move(pieces)));

  std::mt19937 random(17);
  std::vector<std::string> texts = {"",
                                    std::string(300, 'a'),
                                    std::string(300, 'x'),
                                    std::string(300, ' '),
                                    "<b>[abcd]<b>",
                                    "e\u0301e\u0301e\u0301",
                                    "▁▁▁▁▁▁▁▁▁▁▁▁ ▁▁▁▁"};
  for (int i = 0; i < 100; ++i) texts.push_back(random_bytes(random, 200));
  for (const Tokenizer& tokenizer : tokenizers) {
    for (const std::string& text : texts) expect_exact(tokenizer, text);
  }
}

TEST(Tokenizer, ReadsNoMoreOfATextThanIsEnough) {
  // Each is a word, or a text, that would be merged as a whole.
  const std::string text(std::size_t{64} << 20, 'a');
  const std::vector<std::string> merges = {"a a", "aa aa"};
  const Tokenizer byte_level = make(byte_level_vocabulary(merges));
  const Tokenizer sentencepiece = make(sentencepiece_vocabulary({"a", "aa", "aaaa"}));
  for (const Tokenizer* tokenizer : {&byte_level, &sentencepiece}) {
    const std::size_t n = tokenizer->encode(text, {.enough = 1000}).size();
    EXPECT_GT(n, 1000U);
    EXPECT_LT(n, 10'000U);
  }
}

TEST(SpecialTokens, AreReadFromTextOnlyWhenAsked) {
  VocabularyData data = byte_level_vocabulary();
  const TokenId control = add_token(data, "<|x|>", kControl);
  const TokenId user_defined = add_token(data, "<tool>", kUserDefined);
  const Tokenizer tokenizer = make(std::move(data));
  EXPECT_EQ(tokenizer.encode("a<|x|><tool>", {.parse_special = true}), (Ids{'a', control, user_defined}));
  EXPECT_EQ(tokenizer.encode("a<|x|><tool>"), (Ids{'a', '<', '|', 'x', '|', '>', user_defined}));
}

TEST(SpecialTokens, TheLongerWinsWhereTheyOverlap) {
  VocabularyData data = byte_level_vocabulary();
  const TokenId short_one = add_token(data, "[ab", kControl);
  const TokenId long_one = add_token(data, "b[cd]", kControl);
  const Tokenizer tokenizer = make(std::move(data));
  EXPECT_EQ(tokenizer.encode("[ab[cd]", {.parse_special = true}), (Ids{'[', 'a', long_one}));
  EXPECT_EQ(tokenizer.encode("[ab[c", {.parse_special = true}), (Ids{short_one, '[', 'c'}));
}

TEST(SpecialTokens, BosAndEosAreAddedAsTheVocabularySays) {
  VocabularyData data = byte_level_vocabulary();
  data.bos_id = 1;
  data.eos_id = 2;
  EXPECT_EQ(make(data).encode("a"), (Ids{'a'}));
  data.add_bos = data.add_eos = true;
  EXPECT_EQ(make(data).encode("a"), (Ids{1, 'a', 2}));
  EXPECT_EQ(make(data).encode("a", {.add_special = false}), (Ids{'a'}));
}

TEST(SpecialTokens, AreLeftOutOfDecodedTextWhenAsked) {
  VocabularyData data = byte_level_vocabulary();
  const TokenId control = add_token(data, "<|x|>", kControl);
  const Tokenizer tokenizer = make(std::move(data));
  const Ids ids = {'a', control, 'b', -1, 100000};
  EXPECT_EQ(tokenizer.decode(ids), "a<|x|>b");
  EXPECT_EQ(tokenizer.decode(ids, {.skip_special = true}), "ab");
}

TEST(EndOfGeneration, CollectsKeysAndWellKnownTexts) {
  VocabularyData data = byte_level_vocabulary();
  const TokenId end_of_text = add_token(data, "<|endoftext|>");
  const TokenId end_of_turn = add_token(data, "<|im_end|>", kControl);
  data.eos_id = 5;
  data.eot_id = 6;
  const Tokenizer tokenizer = make(std::move(data));
  const auto ids = tokenizer.end_of_generation_ids();
  EXPECT_EQ(Ids(ids.begin(), ids.end()), (Ids{5, 6, end_of_text, end_of_turn}));
  EXPECT_TRUE(tokenizer.is_end_of_generation(end_of_turn));
  EXPECT_FALSE(tokenizer.is_end_of_generation(7));
  EXPECT_FALSE(tokenizer.is_end_of_generation(-1));
  EXPECT_EQ(tokenizer.token_type(end_of_text), TokenType::control);
}

TEST(SentencePieceTokenizer, MergesTheBestScoreAndFallsBackToBytes) {
  const Tokenizer tokenizer = make(sentencepiece_vocabulary({"▁a", "ab", "▁", "a", "b"}));
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{1, 259, 263}));  // bos, "▁a", "b"
  EXPECT_EQ(tokenizer.encode("\xFFz"), (Ids{1, 261, 3 + 0xFF, 3 + 'z'}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("ab", {.add_special = false})), "ab");
}

TEST(SentencePieceTokenizer, NeverMergesTextIntoAControlToken) {
  const Tokenizer tokenizer = make(sentencepiece_vocabulary({"<s", "▁<s", ">", "s>", "▁", "<", "s"}));
  for (const TokenId id : tokenizer.encode("<s>", {.add_special = false})) EXPECT_NE(id, 1);
}

TEST(SentencePieceTokenizer, GivesBackAnyBytes) {
  std::mt19937 random(5);
  for (const bool prefix : {false, true}) {
    VocabularyData data = sentencepiece_vocabulary({"▁a", "ab", "▁", "a", "b", "abc", "▁▁"});
    data.add_space_prefix = prefix;
    const Tokenizer tokenizer = make(std::move(data));
    for (int round = 0; round < 1000; ++round) {
      const std::string text = random_bytes(random, 60);
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text), {.skip_special = true}), text);
    }
  }
}

TEST(Tokenizer, EncodesInSeveralThreadsAtOnce) {
  const Tokenizer tokenizer = make(byte_level_vocabulary({"a b", "ab c", "Ġ a"}));
  const std::string text = "abc abca bcabc a ab";
  const Ids expected = tokenizer.encode(text);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) count += tokenizer.encode(text) == expected ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

}  // namespace
}  // namespace plm::tokenizer
