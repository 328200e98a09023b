#include "convert/hf_tokenizer_files.h"

#include <map>

#include "convert/pre_tokenizers.h"

namespace plm::convert {
namespace {

using tokenizer::TokenType;
using tokenizer::VocabularyData;

constexpr char kNamedTemplatePrefix[] = "tokenizer.chat_template.";

TokenType type_of(const VocabularyData& data, size_t id) {
  return data.types.empty() ? TokenType::normal : static_cast<TokenType>(data.types[id]);
}

// Tokens that `tokenizers` keeps apart from the vocabulary of the merges.
bool is_extra(TokenType type) {
  return type == TokenType::control || type == TokenType::user_defined || type == TokenType::unknown;
}

// Only there because the embedding has more rows than there are tokens.
bool is_padding(const VocabularyData& data, size_t id) {
  return type_of(data, id) == TokenType::unused && data.tokens[id] == fmt::format("[PAD{}]", id);
}

JsonOut added_token(const VocabularyData& data, size_t id) {
  return {{"content", data.tokens[id]},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", false},
          {"special", type_of(data, id) != TokenType::user_defined}};
}

// `tokenizers` numbers added tokens itself, after the vocabulary, unless the vocabulary has them. Apart where
// that gives the ids of the file (Qwen2), else in both (SmolLM).
bool extras_follow_the_vocabulary(const VocabularyData& data) {
  bool seen_extra = false;
  bool seen_padding = false;
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    const bool extra = is_extra(type_of(data, id));
    const bool padding = is_padding(data, id);
    if ((seen_padding && !padding) || (seen_extra && !extra && !padding)) return false;
    seen_extra = seen_extra || extra;
    seen_padding = seen_padding || padding;
  }
  return true;
}

// ordered_json searches its keys one by one; a vocabulary is appended unsearched. Of equal tokens the last
// counts, as everywhere.
JsonOut vocabulary_object(const VocabularyData& data) {
  const bool leaves_extras_out = extras_follow_the_vocabulary(data);
  std::map<std::string_view, size_t> last;
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    const bool is_left_out = is_padding(data, id) || (leaves_extras_out && is_extra(type_of(data, id)));
    if (!is_left_out) last[data.tokens[id]] = id;
  }
  JsonOut object = JsonOut::object();
  auto& entries = object.get_ref<JsonOut::object_t&>();
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    const auto found = last.find(data.tokens[id]);
    if (found != last.end() && found->second == id) entries.push_back({data.tokens[id], id});
  }
  return object;
}

const std::string* token_of(const VocabularyData& data, const std::optional<int64_t>& id) {
  const bool is_there = id && *id >= 0 && static_cast<uint64_t>(*id) < data.tokens.size();
  return is_there ? &data.tokens[static_cast<size_t>(*id)] : nullptr;
}

JsonOut special_part(const std::string& token, int type_id) {
  return {{"SpecialToken", {{"id", token}, {"type_id", type_id}}}};
}

// bos before and eos after each text, as far as the file asks for them.
JsonOut post_processor(const VocabularyData& data) {
  JsonOut byte_level{
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
  const std::string* bos = data.add_bos.value_or(false) ? token_of(data, data.bos_id) : nullptr;
  const std::string* eos = data.add_eos.value_or(false) ? token_of(data, data.eos_id) : nullptr;
  if (bos == nullptr && eos == nullptr) return byte_level;
  const auto sequence = [&](const char* name, int type_id) {
    JsonOut parts = JsonOut::array();
    if (bos != nullptr) parts.push_back(special_part(*bos, type_id));
    parts.push_back({{"Sequence", {{"id", name}, {"type_id", type_id}}}});
    if (eos != nullptr) parts.push_back(special_part(*eos, type_id));
    return parts;
  };
  JsonOut pair = sequence("A", 0);
  for (const JsonOut& part : sequence("B", 1)) pair.push_back(part);
  JsonOut tokens = JsonOut::object();
  for (const auto& [token, id] : {std::pair{bos, data.bos_id}, std::pair{eos, data.eos_id}}) {
    if (token == nullptr) continue;
    tokens[*token] = {{"id", *token}, {"ids", JsonOut::array({*id})}, {"tokens", JsonOut::array({*token})}};
  }
  const JsonOut frame{{"type", "TemplateProcessing"},
                      {"single", sequence("A", 0)},
                      {"pair", pair},
                      {"special_tokens", tokens}};
  return {{"type", "Sequence"}, {"processors", JsonOut::array({byte_level, frame})}};
}

JsonOut chat_templates(const gguf::File& file, const VocabularyData& data) {
  constexpr size_t kPrefixBytes = sizeof(kNamedTemplatePrefix) - 1;
  JsonOut named = JsonOut::array();
  if (!data.chat_template.empty()) named.push_back({{"name", "default"}, {"template", data.chat_template}});
  for (const gguf::KeyValue& entry : file.metadata()) {
    const std::string_view* source = entry.value.string();
    if (source == nullptr || !entry.key.starts_with(kNamedTemplatePrefix)) continue;
    named.push_back(
        {{"name", std::string(entry.key.substr(kPrefixBytes))}, {"template", std::string(*source)}});
  }
  const bool is_plain = named.size() == 1 && !data.chat_template.empty();
  return is_plain ? JsonOut(data.chat_template) : named;
}

}  // namespace

Result<std::string> dump_json(const JsonOut& json, std::string_view what) {
  try {
    return json.dump(1) + "\n";
  } catch (const JsonOut::exception&) {
    return make_error(ErrorKind::bad_data, "{}: found text that is not UTF-8, which JSON cannot hold", what);
  }
}

Result<JsonOut> make_tokenizer_json(const VocabularyData& data) {
  if (data.model != "gpt2") {
    return make_error(
        ErrorKind::unsupported,
        "key tokenizer.ggml.model: found \"{}\", expected \"gpt2\": only byte-level BPE can be written "
        "as tokenizer.json",
        shown(data.model));
  }
  PLM_TRY(JsonOut pre_tokenizer, pre_tokenizer_json(data.pre_tokenizer));
  JsonOut added = JsonOut::array();
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    if (!is_extra(type_of(data, id))) continue;
    JsonOut token{{"id", id}};
    token.update(added_token(data, id));
    added.push_back(std::move(token));
  }
  return JsonOut{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", std::move(added)},
      {"normalizer", normalizer_json(data.normalizer)},
      {"pre_tokenizer", std::move(pre_tokenizer)},
      {"post_processor", post_processor(data)},
      {"decoder",
       {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", ""},
        {"end_of_word_suffix", ""},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", data.pre_tokenizer == "llama-bpe"},
        {"vocab", vocabulary_object(data)},
        {"merges", data.merges}}}};
}

Result<JsonOut> make_tokenizer_config(const gguf::File& file, const VocabularyData& data,
                                      int64_t context_length) {
  JsonOut config;
  const bool is_sentencepiece = data.model == "llama";
  config["tokenizer_class"] = is_sentencepiece                ? "LlamaTokenizer"
                              : data.pre_tokenizer == "qwen2" ? "Qwen2Tokenizer"
                                                              : "PreTrainedTokenizerFast";
  config["add_prefix_space"] = is_sentencepiece && data.add_space_prefix.value_or(true);
  if (is_sentencepiece) config["legacy"] = false;
  if (data.add_bos) config["add_bos_token"] = *data.add_bos;
  if (data.add_eos) config["add_eos_token"] = *data.add_eos;
  JsonOut decoder = JsonOut::object();
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    if (is_extra(type_of(data, id))) decoder[std::to_string(id)] = added_token(data, id);
  }
  config["added_tokens_decoder"] = std::move(decoder);
  for (const auto& [name, id] :
       {std::pair{"bos_token", data.bos_id}, std::pair{"eos_token", data.eos_id},
        std::pair{"pad_token", data.padding_id}, std::pair{"unk_token", data.unknown_id}}) {
    if (const std::string* token = token_of(data, id)) {
      config[name] = *token;
    } else {
      config[name] = nullptr;
    }
  }
  JsonOut templates = chat_templates(file, data);
  if (!templates.empty()) config["chat_template"] = std::move(templates);
  config["clean_up_tokenization_spaces"] = false;
  config["errors"] = "replace";
  config["model_max_length"] = context_length;
  config["split_special_tokens"] = false;
  return config;
}

}  // namespace plm::convert
