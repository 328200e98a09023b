// Which tokens begin, end and pad a text: gathered from four files of a Hugging Face folder. Internal.
#pragma once

#include "base/error.h"
#include "convert/json_reader.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::convert {

struct SpecialIdSources {
  JsonFields tokenizer;   // tokenizer.json: its post-processor says what is put around a text
  JsonFields settings;    // tokenizer_config.json: tokens by their text
  JsonFields config;      // config.json: ids
  JsonFields generation;  // generation_config.json: ids
};

// Fills the ids and add_bos, add_eos; the tokens are there already. tokenizer_config.json comes first, then
// config.json, then generation_config.json; of a list of ids the first counts. An id outside the vocabulary
// is refused, a text that is no token is passed over. add_bos is always decided, as GGUF readers differ about
// its default.
Status read_special_ids(const SpecialIdSources& sources, tokenizer::VocabularyData& data);

}  // namespace plm::convert
