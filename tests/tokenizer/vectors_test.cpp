// The published vectors of llama.cpp and Hugging Face tokenizers, on the vocabularies laid ready.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/vocabulary_file.h"
#include "tokenizer/tokenizer.h"

namespace plm::tokenizer {
namespace {

const std::string kTokenizers = PLM_SOURCE_DIR "/../shared/tokenizers/";

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t at = 0; (at = text.find(separator, begin)) != std::string::npos;) {
    parts.push_back(text.substr(begin, at - begin));
    begin = at + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

Result<VocabularyData> read_vocabulary(const std::string& path) {
  PLM_TRY(const gguf::File file, gguf::File::open(path));
  return runtime::read_vocabulary(file);
}

struct VocabularyCase {
  std::string name;
  std::string vocabulary;

  friend void PrintTo(const VocabularyCase& vocabulary_case, std::ostream* out) {
    *out << vocabulary_case.name;
  }
};

class LlamaCppVectors : public testing::TestWithParam<VocabularyCase> {};

TEST_P(LlamaCppVectors, AllIdsAreEqual) {
  const auto inputs = read_text(kTokenizers + "llamacpp/ggml-vocab-" + GetParam().name + ".gguf.inp");
  const auto outputs = read_text(kTokenizers + "llamacpp/ggml-vocab-" + GetParam().name + ".gguf.out");
  if (!inputs || !outputs) GTEST_SKIP() << "no vectors in " << kTokenizers;
  auto data = read_vocabulary(kTokenizers + GetParam().vocabulary);
  ASSERT_TRUE(data.ok()) << data.error().message;
  const auto tokenizer = Tokenizer::create(*std::move(data));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;

  std::vector<std::string> texts = split(*inputs, "\n__ggml_vocab_test__\n");
  texts.pop_back();  // what follows the last separator
  const std::vector<std::string> lines = split(*outputs, "\n");
  ASSERT_EQ(texts.size(), 46U);
  ASSERT_GE(lines.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::istringstream numbers(lines[i]);
    const std::vector<TokenId> expected{std::istream_iterator<TokenId>(numbers), {}};
    EXPECT_EQ(tokenizer->encode(texts[i], {.add_special = false}), expected)
        << "vector " << i << ": " << texts[i];
    EXPECT_EQ(tokenizer->decode(expected), texts[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, LlamaCppVectors,
                         testing::Values(VocabularyCase{"qwen2", "qwen2/qwen2-vocab.gguf"},
                                         VocabularyCase{"gpt-2", "llamacpp/ggml-vocab-gpt-2.gguf"},
                                         VocabularyCase{"phi-3", "llamacpp/ggml-vocab-phi-3.gguf"}),
                         [](const auto& test_case) {
                           std::string name = test_case.param.name;
                           std::erase(name, '-');
                           return name;
                         });

TEST(HuggingFaceVectors, AllIdsAreEqualWithNfc) {
  std::ifstream vectors(kTokenizers + "qwen2/hf_vectors.jsonl");
  if (!vectors) GTEST_SKIP() << "no vectors in " << kTokenizers;
  auto data = read_vocabulary(kTokenizers + "qwen2/qwen2-vocab.gguf");
  ASSERT_TRUE(data.ok()) << data.error().message;
  data->normalizer = "NFC";
  const auto tokenizer = Tokenizer::create(*std::move(data));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;

  int count = 0;
  for (std::string line; std::getline(vectors, line); ++count) {
    const auto vector = nlohmann::json::parse(line);
    const auto text = vector["text"].get<std::string>();
    const auto expected = vector["ids"].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->encode(text, {.parse_special = true}), expected) << text;
    EXPECT_EQ(tokenizer->decode(expected), vector["decoded"].get<std::string>());
  }
  EXPECT_EQ(count, 169);
}

}  // namespace
}  // namespace plm::tokenizer
