// Vocabularies small enough to be read at a glance, for tests.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::tokenizer {

constexpr std::int32_t kNormal = static_cast<std::int32_t>(TokenType::normal);
constexpr std::int32_t kControl = static_cast<std::int32_t>(TokenType::control);
constexpr std::int32_t kUserDefined = static_cast<std::int32_t>(TokenType::user_defined);
constexpr std::int32_t kByte = static_cast<std::int32_t>(TokenType::byte);

inline TokenId add_token(VocabularyData& data, std::string text, std::int32_t type = kNormal,
                         float score = 0) {
  data.tokens.push_back(std::move(text));
  data.types.push_back(type);
  if (data.model == "llama") data.scores.push_back(score);
  return static_cast<TokenId>(data.tokens.size() - 1);
}

// The 256 bytes (ids 0 to 255), then the results of `merges`.
inline VocabularyData byte_level_vocabulary(std::vector<std::string> merges = {}) {
  VocabularyData data;
  data.model = "gpt2";
  data.pre_tokenizer = "qwen2";
  for (int byte = 0; byte < 256; ++byte) add_token(data, byte_character(static_cast<std::uint8_t>(byte)));
  for (const std::string& merge : merges) {
    std::string joined = merge;
    joined.erase(joined.find(' '), 1);
    add_token(data, joined);
  }
  data.merges = std::move(merges);
  return data;
}

// <unk> <s> </s>, the 256 byte tokens (ids 3 to 258), then pieces with falling scores.
inline VocabularyData sentencepiece_vocabulary(const std::vector<std::string>& pieces = {}) {
  VocabularyData data;
  data.model = "llama";
  add_token(data, "<unk>", static_cast<std::int32_t>(TokenType::unknown));
  add_token(data, "<s>", kControl);
  add_token(data, "</s>", kControl);
  for (int byte = 0; byte < 256; ++byte) add_token(data, fmt::format("<0x{:02X}>", byte), kByte);
  float score = 0;
  for (const std::string& piece : pieces) add_token(data, piece, kNormal, score -= 1);
  return data;
}

}  // namespace plm::tokenizer
