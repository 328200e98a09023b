#include "convert/hf_vocabulary.h"

#include <filesystem>

#include "convert/pre_tokenizers.h"
#include "convert/sentencepiece_model.h"
#include "convert/special_ids.h"
#include "convert/token_table.h"
#include "tokenizer/tokenizer.h"

namespace plm::convert {
namespace {

using tokenizer::VocabularyData;

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// "left right", or ["left", "right"] since parts may hold blanks; byte-level BPE writes a blank as U+0120.
Result<std::string> read_merge(const Json& merge, const JsonFields& model) {
  if (merge.is_string()) return merge.get<std::string>();
  if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) {
    return model.wrong("merges", merge, "texts, or pairs of texts");
  }
  std::string text;
  for (const Json& part : merge) {
    if (!text.empty()) text += ' ';
    for (const char c : part.get_ref<const std::string&>()) {
      if (c == ' ') {
        text += "\u0120";
      } else {
        text += c;
      }
    }
  }
  return text;
}

Status read_bpe_model(const JsonFields& model, TokenTable& table, VocabularyData& data) {
  PLM_TRY_STATUS(model.expect_string("type", "BPE"));
  PLM_TRY_STATUS(model.expect_string("continuing_subword_prefix", ""));
  PLM_TRY_STATUS(model.expect_string("end_of_word_suffix", ""));
  PLM_TRY_STATUS(model.expect_boolean("byte_fallback", false));
  // Only Llama 3's pre-tokenizer goes with whole words first (docs/formats/tokenizer.md).
  if (data.pre_tokenizer != "llama-bpe") PLM_TRY_STATUS(model.expect_boolean("ignore_merges", false));
  const Json* vocabulary = model.find("vocab");
  if (vocabulary == nullptr) return model.missing("vocab");
  PLM_TRY_STATUS(table.add_vocabulary(*vocabulary));
  const Json* merges = model.find("merges");
  if (merges == nullptr) return model.missing("merges");
  if (!merges->is_array()) return model.wrong("merges", *merges, "an array");
  for (const Json& merge : *merges) {
    PLM_TRY(std::string text, read_merge(merge, model));
    data.merges.push_back(std::move(text));
  }
  return {};
}

Status read_added_tokens(const JsonFields& fields, TokenTable& table) {
  const Json* list = fields.find("added_tokens");
  if (list == nullptr) return {};
  if (!list->is_array()) return fields.wrong("added_tokens", *list, "an array");
  for (const Json& entry : *list) {
    if (!entry.is_object() || !entry.contains("id") || !entry.contains("content") ||
        !entry["content"].is_string()) {
      return fields.wrong("added_tokens", entry, "objects with id and content");
    }
    PLM_TRY(const bool is_special, JsonFields(entry, fields.path()).boolean_or("special", false));
    PLM_TRY_STATUS(table.add_extra(entry["id"], entry["content"].get_ref<const std::string&>(), is_special));
  }
  return {};
}

// What the Python class of a tokenizer does where no tokenizer.json says it.
Status read_tokenizer_class(const JsonFields& settings, const JsonFields& config, VocabularyData& data) {
  PLM_TRY(const std::string model_type, config.string_or("model_type", ""));
  const bool is_qwen = model_type == "plm" || model_type.starts_with("qwen");
  PLM_TRY(const std::string name, settings.string_or("tokenizer_class", is_qwen ? "Qwen2Tokenizer" : ""));
  if (name == "Qwen2Tokenizer" || name == "Qwen2TokenizerFast") {
    data.pre_tokenizer = "qwen2";
    data.normalizer = "NFC";
    return {};
  }
  if (name == "GPT2Tokenizer" || name == "GPT2TokenizerFast") {
    data.pre_tokenizer = "gpt-2";
    return {};
  }
  return make_error(ErrorKind::unsupported,
                    "{}: field tokenizer_class: found \"{}\", expected Qwen2Tokenizer or GPT2Tokenizer, or a "
                    "tokenizer.json, which says more",
                    settings.path(), shown(name));
}

// "added_tokens_decoder" of tokenizer_config.json is newer than added_tokens.json and knows more.
Status read_added_files(const std::string& folder, const JsonFields& settings, TokenTable& table) {
  PLM_TRY(const Json added, read_json_object_if_there(folder + "/added_tokens.json"));
  for (const auto& [text, id] : added.items()) PLM_TRY_STATUS(table.add_extra(id, text, false));
  const Json* decoder = settings.find("added_tokens_decoder");
  if (decoder == nullptr) return {};
  if (!decoder->is_object()) return settings.wrong("added_tokens_decoder", *decoder, "an object");
  for (const auto& [id, entry] : decoder->items()) {
    const Json number = Json::parse(id, nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object() || !entry.contains("content") || !entry["content"].is_string()) {
      return settings.wrong("added_tokens_decoder", entry, "objects with content");
    }
    PLM_TRY(const bool is_special, JsonFields(entry, settings.path()).boolean_or("special", false));
    PLM_TRY_STATUS(table.add_extra(number, entry["content"].get_ref<const std::string&>(), is_special));
  }
  return {};
}

Status read_vocab_and_merges(const std::string& folder, const JsonFields& settings, const JsonFields& config,
                             int64_t size, VocabularyData& data) {
  data.model = "gpt2";
  PLM_TRY_STATUS(read_tokenizer_class(settings, config, data));
  const std::string path = folder + "/vocab.json";
  PLM_TRY(const Json vocabulary, read_json_object(path));
  TokenTable table(size, path);
  PLM_TRY_STATUS(table.add_vocabulary(vocabulary));
  PLM_TRY_STATUS(read_added_files(folder, settings, table));
  std::move(table).take(data);
  PLM_TRY(const std::string merges, read_text_file(folder + "/merges.txt"));
  PLM_TRY(data.merges, parse_merges_txt(merges, folder + "/merges.txt"));
  return {};
}

// Pieces by position; tokens added later have the scores llama.cpp's converter gives them, below every merge.
Status read_sentencepiece(const std::string& folder, const JsonFields& settings, int64_t size,
                          VocabularyData& data) {
  const std::string path = folder + "/tokenizer.model";
  PLM_TRY(const std::string bytes, read_text_file(path));
  VocabularyData pieces;
  PLM_TRY_STATUS(read_sentencepiece_model(bytes, path, pieces));
  TokenTable table(size, path);
  for (size_t id = 0; id < pieces.tokens.size(); ++id) {
    PLM_TRY_STATUS(
        table.add(Json(id), pieces.tokens[id], static_cast<tokenizer::TokenType>(pieces.types[id])));
  }
  PLM_TRY_STATUS(read_added_files(folder, settings, table));
  std::move(table).take(data);
  constexpr float kAddedScore = -1000;
  data.model = pieces.model;
  data.scores = std::move(pieces.scores);
  data.scores.resize(data.tokens.size(), kAddedScore);
  data.add_space_prefix = pieces.add_space_prefix;
  return {};
}

// A template, or [{"name": .., "template": ..}, ..] of which one is the default.
Status read_template_field(const JsonFields& settings, HfVocabulary& vocabulary) {
  const Json* field = settings.find("chat_template");
  if (field == nullptr) return {};
  if (field->is_string()) {
    vocabulary.data.chat_template = field->get<std::string>();
    return {};
  }
  if (!field->is_array()) return settings.wrong("chat_template", *field, "a text or an array");
  for (const Json& entry : *field) {
    if (!entry.is_object()) return settings.wrong("chat_template", entry, "objects with name and template");
    const JsonFields fields(entry, settings.path() + ": chat_template");
    PLM_TRY(const std::string name, fields.string_or("name", ""));
    PLM_TRY(std::string source, fields.string_or("template", ""));
    if (name == "default") {
      vocabulary.data.chat_template = std::move(source);
    } else if (!name.empty()) {
      vocabulary.named_templates.emplace_back(name, std::move(source));
    }
  }
  return {};
}

// chat_template.jinja is what transformers reads first.
Status read_chat_template(const std::string& folder, const JsonFields& settings, HfVocabulary& vocabulary) {
  PLM_TRY_STATUS(read_template_field(settings, vocabulary));
  const std::string path = folder + "/chat_template.jinja";
  if (exists(path)) {
    PLM_TRY(vocabulary.data.chat_template, read_text_file(path));
  } else if (vocabulary.data.chat_template.empty()) {
    PLM_TRY(const Json json, read_json_object_if_there(folder + "/chat_template.json"));
    PLM_TRY_STATUS(read_template_field(JsonFields(json, folder + "/chat_template.json"), vocabulary));
  }
  return {};
}

}  // namespace

Status read_tokenizer_json(const Json& json, const std::string& path, int64_t size, VocabularyData& data) {
  const JsonFields fields(json, path);
  data.model = "gpt2";
  PLM_TRY(data.pre_tokenizer, pre_tokenizer_name(fields));
  PLM_TRY(data.normalizer, normalizer_name(fields));
  TokenTable table(size, path);
  PLM_TRY(const JsonFields model, fields.object("model"));
  PLM_TRY_STATUS(read_bpe_model(model, table, data));
  PLM_TRY_STATUS(read_added_tokens(fields, table));
  std::move(table).take(data);
  return {};
}

Result<std::vector<std::string>> parse_merges_txt(std::string_view text, const std::string& path) {
  std::vector<std::string> merges;
  for (size_t line_number = 1; !text.empty(); ++line_number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    // "# #" is a merge: only the first line can be a heading.
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
    const size_t blank = line.find(' ');
    if (blank == 0 || blank == std::string_view::npos || blank + 1 == line.size() ||
        line.find(' ', blank + 1) != std::string_view::npos) {
      return make_error(ErrorKind::bad_data,
                        "{}: line {}: found \"{}\", expected two parts with a blank between", path,
                        line_number, shown(line));
    }
    merges.emplace_back(line);
  }
  return merges;
}

Result<HfVocabulary> read_hf_vocabulary(const std::string& folder, const JsonFields& config, int64_t size) {
  if (size > kLargestSize) {
    return make_error(ErrorKind::bad_data, "{}: found {} tokens, expected at most {}", folder, size,
                      kLargestSize);
  }
  const std::string settings_path = folder + "/tokenizer_config.json";
  const std::string tokenizer_path = folder + "/tokenizer.json";
  PLM_TRY(const Json settings_json, read_json_object_if_there(settings_path));
  const JsonFields settings(settings_json, settings_path);
  HfVocabulary vocabulary;
  Json tokenizer_json = Json::object();
  if (exists(folder + "/tokenizer.model")) {
    PLM_TRY_STATUS(read_sentencepiece(folder, settings, size, vocabulary.data));
  } else if (exists(tokenizer_path)) {
    PLM_TRY(tokenizer_json, read_json_object(tokenizer_path));
    PLM_TRY_STATUS(read_tokenizer_json(tokenizer_json, tokenizer_path, size, vocabulary.data));
  } else if (exists(folder + "/vocab.json")) {
    PLM_TRY_STATUS(read_vocab_and_merges(folder, settings, config, size, vocabulary.data));
  } else {
    return make_error(ErrorKind::not_found,
                      "{}: found neither tokenizer.json, nor vocab.json with merges.txt, nor tokenizer.model",
                      folder);
  }
  PLM_TRY_STATUS(read_chat_template(folder, settings, vocabulary));
  PLM_TRY(const Json generation, read_json_object_if_there(folder + "/generation_config.json"));
  PLM_TRY_STATUS(read_special_ids({.tokenizer = JsonFields(tokenizer_json, tokenizer_path),
                                   .settings = settings,
                                   .config = config,
                                   .generation = JsonFields(generation, folder + "/generation_config.json")},
                                  vocabulary.data));
  auto checked = tokenizer::Tokenizer::create(vocabulary.data);
  if (!checked) return checked.error().with_context(folder);
  return vocabulary;
}

void write_vocabulary_keys(const HfVocabulary& vocabulary, gguf::MetadataBuilder& keys) {
  const VocabularyData& data = vocabulary.data;
  keys.set_string("tokenizer.ggml.model", data.model);
  keys.set_string("tokenizer.ggml.pre", data.pre_tokenizer.empty() ? "default" : data.pre_tokenizer);
  keys.set_strings("tokenizer.ggml.tokens", std::span<const std::string>(data.tokens));
  if (!data.scores.empty()) keys.set_f32s("tokenizer.ggml.scores", data.scores);
  keys.set_i32s("tokenizer.ggml.token_type", data.types);
  if (!data.merges.empty())
    keys.set_strings("tokenizer.ggml.merges", std::span<const std::string>(data.merges));
  const auto set_id = [&keys](std::string_view key, const std::optional<int64_t>& id) {
    if (id) keys.set_u32(key, static_cast<uint32_t>(*id));
  };
  set_id("tokenizer.ggml.bos_token_id", data.bos_id);
  set_id("tokenizer.ggml.eos_token_id", data.eos_id);
  set_id("tokenizer.ggml.unknown_token_id", data.unknown_id);
  set_id("tokenizer.ggml.padding_token_id", data.padding_id);
  if (data.add_bos) keys.set_bool("tokenizer.ggml.add_bos_token", *data.add_bos);
  if (data.add_eos) keys.set_bool("tokenizer.ggml.add_eos_token", *data.add_eos);
  if (data.add_space_prefix) keys.set_bool("tokenizer.ggml.add_space_prefix", *data.add_space_prefix);
  if (!data.normalizer.empty()) keys.set_string("plm.tokenizer.normalizer", data.normalizer);
  std::vector<std::string> names;
  for (const auto& [name, source] : vocabulary.named_templates) {
    names.push_back(name);
    keys.set_string("tokenizer.chat_template." + name, source);
  }
  if (!names.empty()) keys.set_strings("tokenizer.chat_templates", std::span<const std::string>(names));
  if (!data.chat_template.empty()) keys.set_string("tokenizer.chat_template", data.chat_template);
}

}  // namespace plm::convert
