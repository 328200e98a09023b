// The vocabulary of a Hugging Face folder as GGUF holds it: tokenizer.model, tokenizer.json, or vocab.json
// with merges.txt, whichever comes first, and what tokenizer_config.json, config.json and chat_template.jinja
// add. Internal to the folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/json_reader.h"
#include "gguf/metadata_builder.h"
#include "tokenizer/vocabulary_data.h"

namespace plm::convert {

struct HfVocabulary {
  tokenizer::VocabularyData data;
  // Besides data.chat_template: templates of other names ("tool_use"), in the order of their names.
  std::vector<std::pair<std::string, std::string>> named_templates;
};

// `config` is config.json; `size` the rows of the embedding: ids without a token become "[PADn]", unused.
// The result is one that tokenizer::Tokenizer accepts.
Result<HfVocabulary> read_hf_vocabulary(const std::string& folder, const JsonFields& config, int64_t size);

// tokenizer.ggml.* and tokenizer.chat_template.
void write_vocabulary_keys(const HfVocabulary& vocabulary, gguf::MetadataBuilder& keys);

// The parsers within, each for its own file; text of strangers, attacked by a fuzz target. `data` gets model,
// pre_tokenizer, tokens, types, merges and normalizer.
Status read_tokenizer_json(const Json& json, const std::string& path, int64_t size,
                           tokenizer::VocabularyData& data);
Result<std::vector<std::string>> parse_merges_txt(std::string_view text, const std::string& path);

}  // namespace plm::convert
