// Tells whether two tokenizers give the same ids.
#pragma once

#include "tokenizer/vocabulary_data.h"
#include "train/data/stable_hash.h"

namespace plm::train {

// Of everything that decides about ids and their text; the chat template is not part of it.
Hash128 tokenizer_fingerprint(const tokenizer::VocabularyData& data);

}  // namespace plm::train
