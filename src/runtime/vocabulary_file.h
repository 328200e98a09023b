// The vocabulary of a GGUF file: its tokenizer.* keys, as docs/formats/tokenizer.md describes them.
#pragma once

#include "base/error.h"
#include "gguf/gguf_file.h"
#include "tokenizer/tokenizer.h"

namespace plm::runtime {

// Copies the keys out, unjudged. Errors name the file and the key.
Result<tokenizer::VocabularyData> read_vocabulary(const gguf::File& file);

// Reads and checks. Files of a vocabulary alone serve.
Result<tokenizer::Tokenizer> load_tokenizer(const gguf::File& file);

}  // namespace plm::runtime
