// Any bytes as text, through every pre-tokenizer and both families of vocabularies: byte-level BPE gives
// back exactly what it was given. And any bytes as a vocabulary: refused, or it can be used.
#include <array>

#include "../tokenizer/small_vocabularies.h"
#include "tokenizer/tokenizer.h"

namespace {

using namespace plm::tokenizer;

// Words that meet in ordinary text, built up from pieces as merges must be.
const std::vector<std::string> kMerges = {"t h",  "th e", "Ġ the", "i n",   "in g", "Ġ a",  "1 2",
                                          "12 3", "Ċ Ċ",  "Ġ Ġ",   "ĠĠ ĠĠ", "' s",  "e r",  "Ã ©",
                                          "Ġ t",  "o n",  "l l",   "' ll",  "â Ģ",  "âĢ Ļ", ". .",
                                          ".. .", "æ Ĺ",  "æĹ ¥",  "č Ċ",   "r e",  "a n",  "an d"};
constexpr std::array kPreTokenizers = {"default", "gpt-2", "qwen2", "llama-bpe", "smollm", "deepseek-llm"};

Tokenizer make(VocabularyData data) {
  add_token(data, "<|im_start|>", kControl);
  add_token(data, "<tool>", kUserDefined);
  auto tokenizer = Tokenizer::create(std::move(data));
  PLM_CHECK(tokenizer.ok());
  return std::move(*tokenizer);
}

const std::vector<Tokenizer>& byte_level_tokenizers() {
  static const std::vector<Tokenizer> tokenizers = [] {
    std::vector<Tokenizer> all;
    for (const char* pre_tokenizer : kPreTokenizers) {
      VocabularyData data = byte_level_vocabulary(kMerges);
      data.pre_tokenizer = pre_tokenizer;
      all.push_back(make(std::move(data)));
    }
    return all;
  }();
  return tokenizers;
}

const Tokenizer& sentencepiece_tokenizer() {
  static const Tokenizer tokenizer = make(sentencepiece_vocabulary(
      {"▁", "t", "h", "e", "th", "the", "▁the", "▁▁", "é", "日", "in", "ing", "1", "a", "n", "an"}));
  return tokenizer;
}

// The same ids at the second time, all of the vocabulary, and bytes that add up to the answer.
std::vector<TokenId> encode(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options) {
  const std::vector<TokenId> ids = tokenizer.encode(text, options);
  PLM_CHECK(ids == tokenizer.encode(text, options));
  for (const TokenId id : ids) PLM_CHECK(tokenizer.is_valid(id));
  return ids;
}

void use_text(std::string_view text) {
  for (const bool parses_special : {false, true}) {
    const EncodeOptions options{.add_special = false, .parse_special = parses_special};
    for (const Tokenizer& tokenizer : byte_level_tokenizers()) {
      const auto ids = encode(tokenizer, text, options);
      PLM_CHECK(tokenizer.decode(ids) == text);
      std::string bytes;
      for (const TokenId id : ids) bytes += tokenizer.token_bytes(id);
      PLM_CHECK(bytes == text);
    }
    const Tokenizer& tokenizer = sentencepiece_tokenizer();
    const auto ids = encode(tokenizer, text, options);
    const std::string answer = tokenizer.decode(ids);
    // A "▁" of the text cannot be told from a space.
    if (text.find("▁") == std::string_view::npos) PLM_CHECK(answer == text);
  }
}

// Lines: the kind, tokens, an empty line, merges, an empty line, a text.
void use_vocabulary(std::string_view input) {
  VocabularyData data;
  std::vector<std::string>* fields[] = {&data.tokens, &data.merges};
  size_t field = 0, kind = 0;
  bool is_first = true;
  while (!input.empty() && field < 2) {
    const size_t end = std::min(input.find('\n'), input.size());
    const std::string line(input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
    if (is_first) {
      kind = line.size();
      is_first = false;
    } else if (line.empty()) {
      ++field;
    } else {
      fields[field]->push_back(line);
    }
  }
  data.model = kind % 2 == 0 ? "gpt2" : "llama";
  if (kind % 2 == 0) data.pre_tokenizer = kPreTokenizers[kind / 2 % kPreTokenizers.size()];
  for (size_t i = 0; i < data.tokens.size(); ++i) data.types.push_back(static_cast<int32_t>((kind + i) % 7));
  if (kind % 2 == 1) data.scores.assign(data.tokens.size(), -1);
  if (kind % 5 == 3) data.bos_id = static_cast<int64_t>(kind) - 3;
  if (kind % 5 == 4) data.normalizer = "NFC";
  const auto tokenizer = Tokenizer::create(std::move(data));
  if (!tokenizer.ok()) {
    PLM_CHECK(!tokenizer.error().message.empty());
    PLM_CHECK(tokenizer.error().message.find('\n') == std::string::npos);
    return;
  }
  for (const bool parses_special : {false, true}) {
    const auto ids = encode(*tokenizer, input, {.add_special = true, .parse_special = parses_special});
    const std::string answer = tokenizer->decode(ids, {.skip_special = parses_special});
    PLM_CHECK(!ids.empty() || answer.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.starts_with("V")) {
    use_vocabulary(input.substr(1));
  } else {
    use_text(input);
  }
  return 0;
}
