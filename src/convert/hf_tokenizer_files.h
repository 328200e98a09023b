// tokenizer.json and tokenizer_config.json from the vocabulary of a GGUF file. Internal to the folder.
#pragma once

#include <string>

#include "base/error.h"
#include "convert/architecture.h"
#include "gguf/gguf_file.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::convert {

// Byte-level BPE: vocabulary, merges, pre-tokenizer, normaliser and special tokens as `tokenizers` reads
// them.
Result<JsonOut> make_tokenizer_json(const tokenizer::VocabularyData& data);

// Special tokens, chat templates and the class that transformers loads.
Result<JsonOut> make_tokenizer_config(const gguf::File& file, const tokenizer::VocabularyData& data,
                                      int64_t context_length);

// Text of JSON; refuses what is not UTF-8. `what` is for the message.
Result<std::string> dump_json(const JsonOut& json, std::string_view what);

}  // namespace plm::convert
