#include "train/data/tokenizer_fingerprint.h"

namespace plm::train {

Hash128 tokenizer_fingerprint(const tokenizer::VocabularyData& data) {
  StableHash hash;
  for (const auto* text : {&data.model, &data.pre_tokenizer, &data.normalizer}) hash.add(*text);
  for (const auto* texts : {&data.tokens, &data.merges}) {
    hash.add_number(texts->size());
    for (const auto& text : *texts) hash.add(text);
  }
  hash.add(std::as_bytes(std::span(data.scores)));
  hash.add(std::as_bytes(std::span(data.types)));
  return hash128(hash.hex());
}

}  // namespace plm::train
