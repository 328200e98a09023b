// What a tokenizer is made from: the tokenizer.* keys of a file, read but not yet judged. Nothing here
// is trusted; Tokenizer::create checks it. The keys are described in docs/formats/tokenizer.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/token.h"

namespace plm::tokenizer {

// The numbers are those of the GGUF array tokenizer.ggml.token_type.
enum class TokenType : std::int32_t {
  undefined = 0,
  normal = 1,
  unknown = 2,
  control = 3,  // matched in text only with parse_special; no text of its own when decoded with skip_special
  user_defined = 4,  // always matched in text
  unused = 5,
  byte = 6,  // "<0xNN>" of a SentencePiece vocabulary
};

struct VocabularyData {
  std::string model;          // tokenizer.ggml.model: "gpt2" (byte-level BPE) or "llama" (SentencePiece)
  std::string pre_tokenizer;  // tokenizer.ggml.pre; empty when the file has no such key
  std::vector<std::string> tokens;
  std::vector<float> scores;        // empty, or one for each token
  std::vector<std::int32_t> types;  // TokenType numbers: empty (all normal), or one for each token
  std::vector<std::string> merges;  // "left right", best first; BPE only

  // 64 bits wide, so that an id too large for TokenId is refused and not cut off.
  std::optional<std::int64_t> bos_id, eos_id, eot_id, eom_id, unknown_id, padding_id;
  std::vector<std::int64_t> more_end_ids;  // further ids that end a generation

  // Without a value the model's own habit: see docs/formats/tokenizer.md.
  std::optional<bool> add_bos, add_eos, add_space_prefix;

  std::string normalizer;     // plm.tokenizer.normalizer: "" (none) or "NFC"
  std::string chat_template;  // tokenizer.chat_template: Jinja source, "" when the file has none
};

}  // namespace plm::tokenizer
