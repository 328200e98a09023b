// Tokens gathered by id from several files, until they are a vocabulary. Internal to the folder.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "convert/json_reader.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::convert {

class TokenTable {
 public:
  // `size` ids; none has a token yet. `path` is for messages.
  TokenTable(int64_t size, std::string path)
      : path_(std::move(path)), texts_(static_cast<size_t>(size)), types_(static_cast<size_t>(size)) {}

  // An id has one token, however often it is named; the later type counts.
  Status add(const Json& id, const std::string& text, tokenizer::TokenType type);

  // {"token": id, ..}: normal tokens.
  Status add_vocabulary(const Json& vocabulary);

  // A token apart from the vocabulary: control when marked special or when it looks like one
  // ("<|im_start|>"), as llama.cpp has it; else user-defined.
  Status add_extra(const Json& id, const std::string& text, bool is_special);

  // Ids without a token become "[PADn]", unused.
  void take(tokenizer::VocabularyData& data) &&;

 private:
  std::string path_;
  std::vector<std::string> texts_;
  std::vector<tokenizer::TokenType> types_;  // undefined: no token yet
};

}  // namespace plm::convert
