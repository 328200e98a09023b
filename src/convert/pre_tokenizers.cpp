#include "convert/pre_tokenizers.h"

#include <array>
#include <vector>

namespace plm::convert {
namespace {

// A stage as one line: "split REGEX", "digits" (each by itself), "gpt-2" (ByteLevel with its own expression).
// ByteLevel without an expression only rewrites bytes as characters and adds no stage.
constexpr std::string_view kSplit = "split ";
constexpr std::string_view kDigits = "digits";
constexpr std::string_view kGpt2 = "gpt-2";

constexpr std::string_view kQwen2Split =
    R"(split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3Split =
    R"(split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt2Split =
    R"(split 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct Known {
  std::string_view name;                   // tokenizer.ggml.pre
  std::array<std::string_view, 2> stages;  // "" for none
};

// Of several spellings of one name, the first is the one written.
constexpr Known kKnown[] = {
    {"qwen2", {kQwen2Split, ""}}, {"llama-bpe", {kLlama3Split, ""}}, {"gpt-2", {kGpt2, ""}},
    {"gpt-2", {kGpt2Split, ""}},  {"smollm", {kDigits, kGpt2}},      {"smollm", {kDigits, kGpt2Split}},
};

std::string known_names() {
  std::string names;
  for (const Known& known : kKnown) {
    if (names.find(known.name) == std::string::npos) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
    }
  }
  return names;
}

Status add_stages(const JsonFields& fields, std::vector<std::string>& stages);

Status add_sequence(const JsonFields& fields, std::vector<std::string>& stages) {
  const Json* list = fields.find("pretokenizers");
  if (list == nullptr) return fields.missing("pretokenizers");
  if (!list->is_array()) return fields.wrong("pretokenizers", *list, "an array");
  for (const Json& entry : *list) {
    if (!entry.is_object()) return fields.wrong("pretokenizers", entry, "objects");
    PLM_TRY_STATUS(add_stages(JsonFields(entry, fields.path()), stages));
  }
  return {};
}

Status add_split(const JsonFields& fields, std::vector<std::string>& stages) {
  PLM_TRY_STATUS(fields.expect_string("behavior", "Isolated"));
  PLM_TRY_STATUS(fields.expect_boolean("invert", false));
  PLM_TRY(const JsonFields pattern, fields.object("pattern"));
  PLM_TRY(const std::string regex, pattern.string_or("Regex", ""));
  stages.push_back(std::string(kSplit) + regex);
  return {};
}

Status add_stages(const JsonFields& fields, std::vector<std::string>& stages) {
  PLM_TRY(const std::string type, fields.string_or("type", ""));
  if (type == "Sequence") return add_sequence(fields, stages);
  if (type == "Split") return add_split(fields, stages);
  if (type == "Digits") {
    PLM_TRY_STATUS(fields.expect_boolean("individual_digits", true));
    stages.emplace_back(kDigits);
    return {};
  }
  if (type == "ByteLevel") {
    PLM_TRY_STATUS(fields.expect_boolean("add_prefix_space", false));
    PLM_TRY(const bool uses_regex, fields.boolean_or("use_regex", true));
    if (uses_regex) stages.emplace_back(kGpt2);
    return {};
  }
  return make_error(ErrorKind::unsupported,
                    "{}: pre_tokenizer: found the type \"{}\", expected Sequence, Split, Digits or ByteLevel",
                    fields.path(), shown(type));
}

JsonOut byte_level(bool uses_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", uses_regex}};
}

JsonOut stage_json(std::string_view stage) {
  if (stage == kDigits) return {{"type", "Digits"}, {"individual_digits", true}};
  if (stage == kGpt2) return byte_level(true);
  return {{"type", "Split"},
          {"pattern", {{"Regex", std::string(stage.substr(kSplit.size()))}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

}  // namespace

Result<std::string> pre_tokenizer_name(const JsonFields& tokenizer) {
  PLM_TRY(const JsonFields fields, tokenizer.object("pre_tokenizer"));
  std::vector<std::string> stages;
  PLM_TRY_STATUS(add_stages(fields, stages));
  for (const Known& known : kKnown) {
    std::vector<std::string> wanted;
    for (const std::string_view stage : known.stages) {
      if (!stage.empty()) wanted.emplace_back(stage);
    }
    if (stages == wanted) return std::string(known.name);
  }
  std::string found;
  for (const std::string& stage : stages) found += fmt::format("{}{}", found.empty() ? "" : ", then ", stage);
  return make_error(ErrorKind::unsupported, "{}: pre_tokenizer: found \"{}\", expected that of one of: {}",
                    tokenizer.path(), shown(found), known_names());
}

Result<std::string> normalizer_name(const JsonFields& tokenizer) {
  if (tokenizer.find("normalizer") == nullptr) return std::string();
  PLM_TRY(const JsonFields fields, tokenizer.object("normalizer"));
  PLM_TRY(const std::string type, fields.string_or("type", ""));
  if (type == "NFC") return type;
  if (const Json* list = fields.find("normalizers");
      type == "Sequence" && list != nullptr && list->is_array()) {
    if (list->empty()) return std::string();
    const Json nfc = {{"type", "NFC"}};
    if (list->size() == 1 && (*list)[0] == nfc) return std::string("NFC");
  }
  return make_error(ErrorKind::unsupported, "{}: normalizer: found the type \"{}\", expected NFC or null",
                    tokenizer.path(), shown(type));
}

Result<JsonOut> pre_tokenizer_json(std::string_view name) {
  for (const Known& known : kKnown) {
    if (known.name != name) continue;
    JsonOut list = JsonOut::array();
    bool has_byte_level = false;
    for (const std::string_view stage : known.stages) {
      if (stage.empty()) continue;
      list.push_back(stage_json(stage));
      has_byte_level = has_byte_level || stage == kGpt2;
    }
    if (!has_byte_level) list.push_back(byte_level(false));
    if (list.size() == 1) return list[0];
    return JsonOut{{"type", "Sequence"}, {"pretokenizers", list}};
  }
  return make_error(ErrorKind::unsupported, "key tokenizer.ggml.pre: found \"{}\", expected one of: {}",
                    shown(name), known_names());
}

JsonOut normalizer_json(std::string_view name) {
  if (name.empty()) return nullptr;
  return {{"type", std::string(name)}};
}

}  // namespace plm::convert
