// tokenizer.model: the protocol buffer that SentencePiece writes, as far as a vocabulary needs it. Internal.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::convert {

// Fills model ("llama"), tokens, scores, types and add_space_prefix. Refuses models that are not BPE: GGUF
// has them under other names. Any bytes are safe; `path` is for messages.
Status read_sentencepiece_model(std::string_view bytes, const std::string& path,
                                tokenizer::VocabularyData& data);

// The way back: the bytes of a tokenizer.model with the same pieces, scores and types, no normalisation.
std::string make_sentencepiece_model(const tokenizer::VocabularyData& data);

}  // namespace plm::convert
