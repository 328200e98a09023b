// Any bytes as the small files of a Hugging Face folder: the first says which; refused with one line, or
// read.
#include "convert/architecture.h"
#include "convert/checkpoint.h"
#include "convert/generation_config.h"
#include "convert/hf_vocabulary.h"
#include "convert/sentencepiece_model.h"
#include "convert/special_ids.h"

namespace {

using namespace plm;
using namespace plm::convert;

constexpr int64_t kVocabulary = 64;

void check_message(const Error& error) {
  PLM_CHECK(!error.message.empty());
  PLM_CHECK(error.message.find('\n') == std::string::npos);
}

void read_config_json(const JsonFields& fields) {
  const auto architecture = find_architecture(fields);
  if (!architecture.ok()) return check_message(architecture.error());
  const auto config = read_config(**architecture, fields);
  if (!config.ok()) return check_message(config.error());
  gguf::MetadataBuilder keys;
  write_common_keys(**architecture, *config, keys);
  (*architecture)->write_keys(*config, keys);
  PLM_CHECK(!keys.entries().empty());
  for (const TensorRule& rule : (*architecture)->tensors) PLM_CHECK(size_of(*config, rule.rows) > 0);
}

void read_vocabulary(const Json& json, const JsonFields& fields) {
  tokenizer::VocabularyData data;
  if (const Status status = read_tokenizer_json(json, "fuzz.json", kVocabulary, data); !status.ok()) {
    return check_message(status.error());
  }
  PLM_CHECK(data.tokens.size() == static_cast<size_t>(kVocabulary));
  const Status ids = read_special_ids(
      {.tokenizer = fields, .settings = fields, .config = fields, .generation = fields}, data);
  if (!ids.ok()) check_message(ids.error());
}

void read_json(uint8_t kind, std::string_view text) {
  const auto json = parse_json_object(text, "fuzz.json");
  if (!json.ok()) return check_message(json.error());
  const JsonFields fields(*json, "fuzz.json");
  gguf::MetadataBuilder keys;
  switch (kind) {
    case 0:
      return read_config_json(fields);
    case 1:
      return read_vocabulary(*json, fields);
    case 2:
      if (const auto map = read_weight_map(*json, "fuzz.json"); !map.ok()) check_message(map.error());
      return;
    default:
      if (const Status status = write_sampling_keys(fields, keys); !status.ok())
        check_message(status.error());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  constexpr uint8_t kKinds = 6;
  const auto kind = static_cast<uint8_t>(data[0] % kKinds);
  if (kind == 4) {
    if (const auto merges = parse_merges_txt(text, "fuzz.txt"); !merges.ok()) check_message(merges.error());
  } else if (kind == 5) {
    tokenizer::VocabularyData vocabulary;
    const Status status = read_sentencepiece_model(text, "fuzz.model", vocabulary);
    if (!status.ok()) check_message(status.error());
  } else {
    read_json(kind, text);
  }
  return 0;
}
