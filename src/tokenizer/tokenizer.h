// Text to token ids and back. Two families: byte-level BPE ("gpt2" in GGUF: Qwen2, GPT-2, Llama 3, SmolLM,
// DeepSeek) and SentencePiece BPE ("llama": Llama 2, Phi 3). Ids equal llama.cpp's on every valid UTF-8 text,
// and Hugging Face tokenizers' where the file asks for NFC.
//
// Text is any bytes: NUL and invalid UTF-8 are kept, and byte-level BPE gives back exactly what it was given
// (unless NFC is on). A Tokenizer does not change after creation; all its const functions may be called from
// several threads at once.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenizer/token.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::tokenizer {

struct EncodeOptions {
  // Put bos before and eos after, as far as the vocabulary says so (add_bos, add_eos).
  bool add_special = true;
  // Read the text of control tokens ("<|im_start|>") as those tokens. Off for text from strangers.
  // User-defined tokens are always read.
  bool parse_special = false;
  // A text of more tokens than this is too long for the caller: encode stops soon after, and what it gives
  // back is more than this many ids, of which only the number says something.
  std::size_t enough = std::numeric_limits<std::size_t>::max();
};

struct DecodeOptions {
  // Leave control and unknown tokens out; otherwise their own text is written.
  bool skip_special = false;
};

class Tokenizer {
 public:
  // Fails with bad_data on a vocabulary that contradicts itself (the message names key, found, expected) and
  // with unsupported on a model, pre-tokenizer or normalizer not known (the message lists the known ones).
  static Result<Tokenizer> create(VocabularyData data);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;

  // Ids outside the vocabulary are skipped. SentencePiece: one leading space is dropped where encode put one.
  std::string decode(std::span<const TokenId> ids, DecodeOptions options = {}) const;

  // The bytes one token adds to the text; possibly part of a character (see Utf8Stream), empty for an id
  // outside the vocabulary. Control tokens: their own text. Valid as long as the Tokenizer.
  std::string_view token_bytes(TokenId id) const;

  // The token as the file writes it, e.g. "Ġthe". Empty for an id outside the vocabulary.
  std::string_view token_text(TokenId id) const;
  TokenType token_type(TokenId id) const;

  // The token with exactly this text in the file.
  std::optional<TokenId> find(std::string_view token_text) const;

  bool is_valid(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < vocabulary_size(); }
  // Control or unknown: not text of the answer.
  bool is_special(TokenId id) const;
  // A model that writes one of these has finished: eos, eot, eom and the well-known texts ("<|im_end|>",
  // "<|endoftext|>", ...), as llama.cpp collects them.
  bool is_end_of_generation(TokenId id) const;
  std::span<const TokenId> end_of_generation_ids() const;  // ascending

  std::size_t vocabulary_size() const;
  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;
  std::optional<TokenId> unknown() const;
  std::optional<TokenId> padding() const;
  bool adds_bos() const;
  bool adds_eos() const;

  const std::string& model() const;          // "gpt2" or "llama"
  const std::string& pre_tokenizer() const;  // "" for SentencePiece
  const std::string& chat_template() const;  // Jinja source, "" when the file has none

  struct State;  // defined in tokenizer.cpp

 private:
  explicit Tokenizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plm::tokenizer
