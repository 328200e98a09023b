// A tokenizer as a folder of Hugging Face files, without a model.
#pragma once

#include <string>

#include "base/error.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::convert {

// Reads tokenizer.json, or vocab.json with merges.txt, or tokenizer.model, and what tokenizer_config.json
// adds. Where config.json says that the model has more rows than there are tokens, ids up to its vocab_size
// become
// "[PADn]", unused. The result is one that Tokenizer::create accepts.
Result<tokenizer::VocabularyData> read_tokenizer_folder(const std::string& folder);

// Writes tokenizer.json, tokenizer_config.json, vocab.json and merges.txt of a byte-level BPE vocabulary into
// a folder, which is made where it does not exist. Each file is replaced as a whole.
Status write_tokenizer_folder(const std::string& folder, const tokenizer::VocabularyData& data);

}  // namespace plm::convert
