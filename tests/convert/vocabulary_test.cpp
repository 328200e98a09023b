#include <gmock/gmock.h>

#include "../gguf/temporary_folder.h"
#include "convert/hf_vocabulary.h"
#include "convert/pre_tokenizers.h"
#include "convert/sentencepiece_model.h"
#include "tokenizer/byte_alphabet.h"

namespace plm::convert {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSize = 8;

// A tokenizer.json of three tokens and one merge; `changes` replaces fields.
Json small_tokenizer(std::string_view changes = "{}") {
  Json json =
      *parse_json_object(R"({"normalizer": null, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2},
      "merges": ["a b"]}, "added_tokens": [{"id": 3, "content": "<|end|>", "special": false},
      {"id": 4, "content": "<tool>", "special": false}]})",
                         "test");
  json["pre_tokenizer"] = Json::parse(pre_tokenizer_json("qwen2")->dump());
  json.merge_patch(*parse_json_object(changes, "test"));
  return json;
}

std::string error(const Json& json) {
  tokenizer::VocabularyData data;
  const Status status = read_tokenizer_json(json, "tokenizer.json", kSize, data);
  return status.ok() ? "" : status.error().message;
}

TEST(TokenizerJson, GivesTokensTypesAndPads) {
  tokenizer::VocabularyData data;
  ASSERT_TRUE(read_tokenizer_json(small_tokenizer(), "x", kSize, data).ok());
  EXPECT_THAT(data.tokens, ElementsAre("a", "b", "ab", "<|end|>", "<tool>", "[PAD5]", "[PAD6]", "[PAD7]"));
  // What looks special is, whatever the file says: llama.cpp's rule.
  EXPECT_THAT(data.types, ElementsAre(1, 1, 1, 3, 4, 5, 5, 5));
  EXPECT_THAT(data.merges, ElementsAre("a b"));
  EXPECT_EQ(data.pre_tokenizer, "qwen2");
  EXPECT_EQ(data.normalizer, "");
}

TEST(TokenizerJson, TakesMergesAsPairs) {
  tokenizer::VocabularyData data;
  const Json json = small_tokenizer(R"({"model": {"merges": [["a", "b"], ["a b", "c"]]}})");
  ASSERT_TRUE(read_tokenizer_json(json, "x", kSize, data).ok());
  EXPECT_THAT(data.merges, ElementsAre("a b", "a\u0120b c"));
}

TEST(TokenizerJson, RefusesIdsOutsideTheVocabularyOrTakenTwice) {
  EXPECT_THAT(error(small_tokenizer(R"({"model": {"vocab": {"z": 8}}})")),
              AllOf(HasSubstr("\"z\""), HasSubstr("8")));
  EXPECT_THAT(error(small_tokenizer(R"({"model": {"vocab": {"z": 1}}})")), HasSubstr("which is that of"));
  EXPECT_THAT(error(small_tokenizer(R"({"model": {"vocab": {"z": -1}}})")), HasSubstr("-1"));
  EXPECT_THAT(error(small_tokenizer(R"({"model": {"vocab": {"z": "1"}}})")), HasSubstr("\"z\""));
}

TEST(TokenizerJson, RefusesOtherKindsOfModel) {
  EXPECT_THAT(error(small_tokenizer(R"({"model": {"type": "WordPiece"}})")), HasSubstr("WordPiece"));
  EXPECT_THAT(error(small_tokenizer(R"({"model": {"byte_fallback": true}})")), HasSubstr("byte_fallback"));
  EXPECT_THAT(error(small_tokenizer(R"({"model": {"ignore_merges": true}})")), HasSubstr("ignore_merges"));
  EXPECT_THAT(error(small_tokenizer(R"({"model": null})")), HasSubstr("vocab"));
  EXPECT_THAT(error(small_tokenizer(R"({"model": {"merges": [1]}})")), HasSubstr("merges"));
  EXPECT_THAT(error(small_tokenizer(R"({"added_tokens": [{"id": 1}]})")), HasSubstr("added_tokens"));
}

TEST(TokenizerJson, RefusesAPreTokenizerThatIsMerelyAlike) {
  Json json = small_tokenizer();
  auto& regex = json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
  regex = regex.get<std::string>() + "|x";
  EXPECT_THAT(error(json), AllOf(HasSubstr("pre_tokenizer"), HasSubstr("qwen2, llama-bpe, gpt-2, smollm")));
  EXPECT_THAT(error(small_tokenizer(R"({"pre_tokenizer": {"type": "Metaspace"}})")), HasSubstr("Metaspace"));
}

TEST(PreTokenizers, ComeBackUnderTheirNames) {
  for (const char* name : {"qwen2", "llama-bpe", "gpt-2", "smollm"}) {
    const auto written = pre_tokenizer_json(name);
    ASSERT_TRUE(written.ok());
    Json json = Json::object();
    json["pre_tokenizer"] = Json::parse(written->dump());
    const auto read = pre_tokenizer_name(JsonFields(json, "x"));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(*read, name);
  }
  EXPECT_FALSE(pre_tokenizer_json("dbrx").ok());
}

TEST(Normalizers, AreNfcOrNone) {
  const auto name = [](std::string_view text) {
    const Json json = *parse_json_object(text, "x");
    const auto found = normalizer_name(JsonFields(json, "x"));
    return found.ok() ? *found : found.error().message;
  };
  EXPECT_EQ(name(R"({"normalizer": null})"), "");
  EXPECT_EQ(name(R"({"normalizer": {"type": "NFC"}})"), "NFC");
  EXPECT_EQ(name(R"({"normalizer": {"type": "Sequence", "normalizers": []}})"), "");
  EXPECT_EQ(name(R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]}})"), "NFC");
  EXPECT_THAT(name(R"({"normalizer": {"type": "NFKC"}})"), HasSubstr("NFKC"));
}

TEST(MergesTxt, SkipsTheHeadingOnly) {
  const auto merges = parse_merges_txt("#version: 0.2\n# #\na b\r\n\nc d", "merges.txt");
  ASSERT_TRUE(merges.ok());
  EXPECT_THAT(*merges, ElementsAre("# #", "a b", "c d"));
}

TEST(MergesTxt, NamesTheLineThatIsNoMerge) {
  for (const char* text : {"a b\nab", "a b\na b c", "a b\n b", "a b\na "}) {
    const auto merges = parse_merges_txt(text, "merges.txt");
    ASSERT_FALSE(merges.ok()) << text;
    EXPECT_THAT(merges.error().message, HasSubstr("line 2"));
  }
}

TEST(SentencePieceModel, ComesBackAsItWas) {
  tokenizer::VocabularyData data;
  data.model = "llama";
  data.tokens = {"<unk>", "<s>", "<0x41>", "▁a", std::string(300, 'x')};
  data.scores = {0, 0, 0, -1.5F, -1000};
  data.types = {2, 3, 6, 1, 4};
  data.add_space_prefix = false;
  tokenizer::VocabularyData back;
  ASSERT_TRUE(read_sentencepiece_model(make_sentencepiece_model(data), "x", back).ok());
  EXPECT_EQ(back.tokens, data.tokens);
  EXPECT_EQ(back.scores, data.scores);
  EXPECT_EQ(back.types, data.types);
  EXPECT_EQ(back.add_space_prefix, std::optional(false));
}

TEST(SentencePieceModel, RefusesWhatIsNone) {
  tokenizer::VocabularyData data;
  data.tokens = {"a"};
  const std::string whole = make_sentencepiece_model(data);
  // A protocol buffer has no end of its own: cut between the trainer and the normaliser it is still a model.
  const size_t normalizer_begin = whole.find("identity") - 4;
  for (size_t size = 0; size < whole.size(); ++size) {
    if (size == normalizer_begin) continue;
    tokenizer::VocabularyData back;
    EXPECT_FALSE(read_sentencepiece_model(whole.substr(0, size), "x", back).ok()) << size;
  }
  tokenizer::VocabularyData back;
  // A trainer of another kind: unigram.
  const Status status =
      read_sentencepiece_model(std::string("\x0a\x03\x0a\x01") + "a\x12\x02\x18\x01", "x", back);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("BPE"));
}

class HfVocabularyTest : public TemporaryFolder {
 protected:
  Result<HfVocabulary> read_folder(std::string_view config = "{}") {
    config_ = *parse_json_object(config, "config.json");
    return read_hf_vocabulary(folder_.string(), JsonFields(config_, "config.json"), kSize);
  }
  Json config_;
};

TEST_F(HfVocabularyTest, TakesIdsFromTheSettingsThenTheConfiguration) {
  write("tokenizer.json", small_tokenizer().dump());
  write("tokenizer_config.json", R"({"eos_token": {"content": "<|end|>"}, "pad_token": "not there"})");
  const auto vocabulary = read_folder(R"({"eos_token_id": 0, "bos_token_id": [1, 2], "pad_token_id": null})");
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->data.eos_id, std::optional<int64_t>(3));
  EXPECT_EQ(vocabulary->data.bos_id, std::optional<int64_t>(1));
  EXPECT_EQ(vocabulary->data.padding_id, std::nullopt);
  EXPECT_EQ(vocabulary->data.add_bos, std::optional(false));
}

TEST_F(HfVocabularyTest, AddsBosWhereThePostProcessorDoes) {
  Json json = small_tokenizer();
  json["post_processor"] = *parse_json_object(
      R"({"type": "Sequence", "processors": [{"type": "TemplateProcessing",
          "single": [{"SpecialToken": {"id": "<tool>"}}, {"Sequence": {"id": "A"}}]}]})",
      "x");
  write("tokenizer.json", json.dump());
  write("tokenizer_config.json", R"({"bos_token": "<tool>"})");
  const auto vocabulary = read_folder();
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->data.add_bos, std::optional(true));
}

TEST_F(HfVocabularyTest, ReadsNamedTemplates) {
  write("tokenizer.json", small_tokenizer().dump());
  write(
      "tokenizer_config.json",
      R"({"chat_template": [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}]})");
  const auto vocabulary = read_folder();
  ASSERT_TRUE(vocabulary.ok());
  EXPECT_EQ(vocabulary->data.chat_template, "D");
  EXPECT_THAT(vocabulary->named_templates, ElementsAre(std::pair<std::string, std::string>("tool_use", "T")));
}

TEST_F(HfVocabularyTest, SaysWhatIsMissing) {
  const auto vocabulary = read_folder();
  ASSERT_FALSE(vocabulary.ok());
  EXPECT_THAT(vocabulary.error().message, HasSubstr("tokenizer.json"));
}

TEST_F(HfVocabularyTest, RefusesAClassItDoesNotKnow) {
  write("vocab.json", R"({"a": 0})");
  write("merges.txt", "");
  write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  const auto vocabulary = read_folder();
  ASSERT_FALSE(vocabulary.ok());
  EXPECT_THAT(vocabulary.error().message, HasSubstr("BertTokenizer"));
}

}  // namespace
}  // namespace plm::convert
