#include "convert/special_ids.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace plm::convert {
namespace {

using Ids = std::map<std::string_view, int64_t>;

// "bos_token": a text, or an object with one. Empty when neither.
std::string token_text(const JsonFields& settings, std::string_view key) {
  const Json* field = settings.find(key);
  if (field == nullptr) return "";
  if (field->is_object() && field->contains("content")) field = &(*field)["content"];
  return field->is_string() ? field->get<std::string>() : "";
}

// "eos_token_id": an id, or a list of which the first counts.
Result<std::optional<int64_t>> read_id(const JsonFields& fields, std::string_view key, size_t n_tokens) {
  const Json* field = fields.find(key);
  if (field != nullptr && field->is_array()) field = field->empty() ? nullptr : &(*field)[0];
  if (field == nullptr) return std::optional<int64_t>();
  const auto id = to_count(*field);
  if (!id || static_cast<uint64_t>(*id) >= n_tokens) {
    return fields.wrong(key, *field, fmt::format("the id of one of the {} tokens", n_tokens));
  }
  return id;
}

Result<std::optional<int64_t>> find_id(const SpecialIdSources& sources, std::string_view kind, const Ids& ids,
                                       size_t n_tokens) {
  const std::string text = token_text(sources.settings, fmt::format("{}_token", kind));
  if (const auto known = ids.find(text); !text.empty() && known != ids.end()) {
    return std::optional<int64_t>(known->second);
  }
  const std::string key = fmt::format("{}_token_id", kind);
  PLM_TRY(const auto id, read_id(sources.config, key, n_tokens));
  if (id) return id;
  return read_id(sources.generation, key, n_tokens);
}

// What a TemplateProcessing puts before and after a single text.
struct Frame {
  std::string first, last;
  bool is_known = false;
};

std::string special_of(const Json& part) {
  if (!part.is_object() || !part.contains("SpecialToken")) return "";
  const Json& token = part["SpecialToken"];
  if (!token.is_object() || !token.contains("id") || !token["id"].is_string()) return "";
  return token["id"].get<std::string>();
}

void read_processor(const Json& processor, Frame& frame) {
  if (!processor.is_object()) return;
  if (const auto list = processor.find("processors"); list != processor.end() && list->is_array()) {
    for (const Json& inner : *list) {
      if (inner.is_object() && !inner.contains("processors")) read_processor(inner, frame);
    }
  }
  const auto type = processor.find("type");
  const auto single = processor.find("single");
  if (type == processor.end() || *type != "TemplateProcessing" || single == processor.end() ||
      !single->is_array() || single->empty()) {
    return;
  }
  frame.is_known = true;
  frame.first = special_of(single->front());
  frame.last = special_of(single->back());
}

Status read_flags(const SpecialIdSources& sources, const Ids& ids, tokenizer::VocabularyData& data) {
  Frame frame;
  if (const Json* processor = sources.tokenizer.find("post_processor")) read_processor(*processor, frame);
  const auto is_token = [&ids](const std::string& text, const std::optional<int64_t>& id) {
    const auto known = ids.find(text);
    return id && known != ids.end() && known->second == *id;
  };
  // Where tokenizer.json frames texts, tokenizers do so whatever tokenizer_config.json says.
  PLM_TRY(const bool states_bos, sources.settings.boolean_or("add_bos_token", data.model == "llama"));
  data.add_bos = frame.is_known ? is_token(frame.first, data.bos_id) : states_bos && data.bos_id.has_value();
  PLM_TRY(const bool states_eos, sources.settings.boolean_or("add_eos_token", false));
  const bool adds_eos = frame.is_known ? is_token(frame.last, data.eos_id) : states_eos;
  if (adds_eos || sources.settings.find("add_eos_token") != nullptr) data.add_eos = adds_eos;
  return {};
}

}  // namespace

Status read_special_ids(const SpecialIdSources& sources, tokenizer::VocabularyData& data) {
  Ids ids;
  for (size_t i = 0; i < data.tokens.size(); ++i) ids[data.tokens[i]] = static_cast<int64_t>(i);
  PLM_TRY(data.bos_id, find_id(sources, "bos", ids, data.tokens.size()));
  PLM_TRY(data.eos_id, find_id(sources, "eos", ids, data.tokens.size()));
  PLM_TRY(data.unknown_id, find_id(sources, "unk", ids, data.tokens.size()));
  PLM_TRY(data.padding_id, find_id(sources, "pad", ids, data.tokens.size()));
  return read_flags(sources, ids, data);
}

}  // namespace plm::convert
