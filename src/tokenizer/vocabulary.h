// A vocabulary that has been checked: what both tokenizer families and the decoder read.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "tokenizer/string_table.h"
#include "tokenizer/token.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::tokenizer {

enum class Family { byte_level_bpe, sentencepiece };

struct Vocabulary {
  Family family = Family::byte_level_bpe;
  std::vector<std::string> texts;  // as the file writes them
  std::vector<std::string> bytes;  // what each adds to decoded text
  std::vector<TokenType> types;
  std::vector<float> scores;  // one for each token
  StringTable ids;            // text -> id; of equal texts the last
  std::optional<TokenId> bos, eos, unknown, padding;
  std::vector<TokenId> end_ids;  // tokens that end a generation, ascending
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;

  std::size_t size() const { return texts.size(); }
  TokenType type(TokenId id) const { return types[static_cast<std::size_t>(id)]; }
  std::optional<TokenId> find(std::string_view text) const;

  // Takes tokens, scores and types out of `data`; its merges, normalizer and template stay there.
  static Result<Vocabulary> create(VocabularyData& data);
};

// The byte of "<0x41>": exactly two hexadecimal digits.
std::optional<std::uint8_t> parse_byte_token(std::string_view text);

}  // namespace plm::tokenizer
