#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer.h"

namespace plm::tokenizer {
namespace {

constexpr std::string_view kMetaSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's visible blank

// Tokens that end an answer by their well-known texts, for files that name only one of them in a key. The
// file's type is corrected to control, so that their text in a prompt is not read as a command.
constexpr std::string_view kEndTexts[] = {
    "<|im_end|>", "<|endoftext|>", "<|end_of_text|>",       "<|eot_id|>", "<|eom_id|>",
    "<|end|>",    "<end_of_turn>", "<end_of_utterance>",    "<EOT>",      "_<EOT>",
    "[EOT]",      "<|return|>",    "<｜end▁of▁sentence｜>",
};

Status check_array_length(std::string_view key, std::size_t found, std::size_t expected) {
  if (found == expected) return {};
  return make_error(ErrorKind::bad_data, "{}: found {} entries, expected {} (one for each token)", key, found,
                    expected);
}

Result<std::optional<TokenId>> checked_id(std::string_view key, std::optional<std::int64_t> id,
                                          std::size_t token_count) {
  if (!id) return std::optional<TokenId>();
  if (*id < 0 || static_cast<std::uint64_t>(*id) >= token_count) {
    return make_error(ErrorKind::bad_data, "{}: found {}, expected an id below {}", key, *id, token_count);
  }
  return std::optional<TokenId>(static_cast<TokenId>(*id));
}

Status check_arrays(const VocabularyData& data) {
  const std::size_t count = data.tokens.size();
  if (count == 0) return make_error(ErrorKind::bad_data, "tokenizer.ggml.tokens: found no tokens");
  constexpr std::size_t kLimit = std::numeric_limits<TokenId>::max();
  if (count > kLimit) {
    return make_error(ErrorKind::bad_data, "tokenizer.ggml.tokens: found {} tokens, expected at most {}",
                      count, kLimit);
  }
  if (!data.scores.empty()) {
    PLM_TRY_STATUS(check_array_length("tokenizer.ggml.scores", data.scores.size(), count));
  }
  if (!data.types.empty()) {
    PLM_TRY_STATUS(check_array_length("tokenizer.ggml.token_type", data.types.size(), count));
  }
  for (std::size_t i = 0; i < data.scores.size(); ++i) {
    if (std::isnan(data.scores[i])) {
      return make_error(ErrorKind::bad_data, "tokenizer.ggml.scores: entry {}: found nan", i);
    }
  }
  for (std::size_t i = 0; i < data.types.size(); ++i) {
    if (data.types[i] < 0 || data.types[i] > static_cast<std::int32_t>(TokenType::byte)) {
      return make_error(ErrorKind::bad_data,
                        "tokenizer.ggml.token_type: entry {}: found {}, expected 0 to {}", i, data.types[i],
                        static_cast<std::int32_t>(TokenType::byte));
    }
  }
  return {};
}

std::string with_blanks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, kMetaSpace.size()) == kMetaSpace) {
      out.push_back(' ');
      at += kMetaSpace.size();
    } else {
      out.push_back(text[at++]);
    }
  }
  return out;
}

// What a token adds to the text.
Result<std::string> bytes_of(const Vocabulary& vocabulary, TokenId id) {
  const std::string& text = vocabulary.texts[static_cast<std::size_t>(id)];
  switch (vocabulary.type(id)) {
    case TokenType::control:
    case TokenType::unknown:
    case TokenType::user_defined:
      return text;
    case TokenType::byte:
      if (vocabulary.family == Family::sentencepiece) {
        const auto byte = parse_byte_token(text);
        if (!byte) {
          return make_error(ErrorKind::bad_data,
                            "tokenizer.ggml.tokens: byte token {}: found \"{:.32}\", expected \"<0x00>\" to "
                            "\"<0xFF>\"",
                            id, text);
        }
        return std::string(1, static_cast<char>(*byte));
      }
      break;
    case TokenType::normal:
    case TokenType::undefined:
    case TokenType::unused:
      break;
  }
  return vocabulary.family == Family::sentencepiece ? with_blanks(text) : from_byte_alphabet(text);
}

Status set_ids(Vocabulary& vocabulary, const VocabularyData& data) {
  const std::size_t count = vocabulary.size();
  PLM_TRY(vocabulary.bos, checked_id("tokenizer.ggml.bos_token_id", data.bos_id, count));
  PLM_TRY(vocabulary.eos, checked_id("tokenizer.ggml.eos_token_id", data.eos_id, count));
  PLM_TRY(vocabulary.unknown, checked_id("tokenizer.ggml.unknown_token_id", data.unknown_id, count));
  PLM_TRY(vocabulary.padding, checked_id("tokenizer.ggml.padding_token_id", data.padding_id, count));
  PLM_TRY(const auto eot, checked_id("tokenizer.ggml.eot_token_id", data.eot_id, count));
  PLM_TRY(const auto eom, checked_id("tokenizer.ggml.eom_token_id", data.eom_id, count));
  for (const auto& id : {vocabulary.eos, eot, eom}) {
    if (id) vocabulary.end_ids.push_back(*id);
  }
  for (const std::int64_t more : data.more_end_ids) {
    PLM_TRY(const auto id, checked_id("tokenizer.ggml.eos_token_ids", more, count));
    vocabulary.end_ids.push_back(*id);
  }
  for (const std::string_view text : kEndTexts) {
    if (const auto id = vocabulary.find(text)) {
      vocabulary.end_ids.push_back(*id);
      vocabulary.types[static_cast<std::size_t>(*id)] = TokenType::control;
    }
  }
  std::sort(vocabulary.end_ids.begin(), vocabulary.end_ids.end());
  vocabulary.end_ids.erase(std::unique(vocabulary.end_ids.begin(), vocabulary.end_ids.end()),
                           vocabulary.end_ids.end());
  return {};
}

// The SentencePiece ids that files may leave out, as llama.cpp takes them.
void set_sentencepiece_habits(VocabularyData& data) {
  const auto fill_in = [&data](std::optional<std::int64_t>& id, std::int64_t habit) {
    if (!id && static_cast<std::uint64_t>(habit) < data.tokens.size()) id = habit;
  };
  fill_in(data.unknown_id, 0);
  fill_in(data.bos_id, 1);
  fill_in(data.eos_id, 2);
}

}  // namespace

std::optional<std::uint8_t> parse_byte_token(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, value, 16);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return static_cast<std::uint8_t>(value);
}

std::optional<TokenId> Vocabulary::find(std::string_view text) const {
  const auto id = ids.find(text);
  if (!id) return std::nullopt;
  return static_cast<TokenId>(*id);
}

Result<Vocabulary> Vocabulary::create(VocabularyData& data) {
  Vocabulary vocabulary;
  if (data.model == "gpt2") {
    vocabulary.family = Family::byte_level_bpe;
  } else if (data.model == "llama") {
    vocabulary.family = Family::sentencepiece;
  } else {
    return make_error(ErrorKind::unsupported,
                      "tokenizer.ggml.model: found \"{}\", expected \"gpt2\" (byte-level BPE) or \"llama\" "
                      "(SentencePiece)",
                      data.model);
  }
  PLM_TRY_STATUS(check_arrays(data));
  const bool is_sentencepiece = vocabulary.family == Family::sentencepiece;
  if (is_sentencepiece) set_sentencepiece_habits(data);
  const bool is_llama3 = !is_sentencepiece && find_pre_tokenizer(data.pre_tokenizer) == PreTokenizer::llama3;
  vocabulary.add_bos = data.add_bos.value_or(is_sentencepiece || is_llama3);
  vocabulary.add_eos = data.add_eos.value_or(false);
  vocabulary.add_space_prefix = is_sentencepiece && data.add_space_prefix.value_or(true);

  const std::size_t count = data.tokens.size();
  vocabulary.texts = std::move(data.tokens);
  vocabulary.scores = std::move(data.scores);
  vocabulary.scores.resize(count, 0.0F);
  vocabulary.types.assign(count, TokenType::normal);
  std::transform(data.types.begin(), data.types.end(), vocabulary.types.begin(),
                 [](std::int32_t type) { return static_cast<TokenType>(type); });
  vocabulary.ids = StringTable(count);
  for (std::size_t id = 0; id < count; ++id) {
    if (!vocabulary.texts[id].empty())
      vocabulary.ids.set(vocabulary.texts[id], static_cast<std::uint32_t>(id));
  }
  PLM_TRY_STATUS(set_ids(vocabulary, data));
  vocabulary.bytes.reserve(count);
  for (std::size_t id = 0; id < count; ++id) {
    PLM_TRY(std::string bytes, bytes_of(vocabulary, static_cast<TokenId>(id)));
    vocabulary.bytes.push_back(std::move(bytes));
  }
  return vocabulary;
}

}  // namespace plm::tokenizer
