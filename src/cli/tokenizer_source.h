// Which tokenizer is meant: a GGUF file, a folder of Hugging Face files, or the bundled model's.
#pragma once

#include <string>

#include "base/error.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::cli {

// `given` is a file or a folder, or empty as in find_model().
Result<tokenizer::VocabularyData> read_tokenizer(const std::string& given);

}  // namespace plm::cli
