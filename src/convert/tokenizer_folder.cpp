#include "convert/tokenizer_folder.h"

#include <algorithm>
#include <filesystem>

#include "base/atomic_file.h"
#include "convert/hf_tokenizer_files.h"
#include "convert/hf_vocabulary.h"
#include "convert/json_reader.h"

namespace plm::convert {

namespace {

namespace fs = std::filesystem;
using tokenizer::VocabularyData;

// One above the highest id that the values of {"token": id} name.
int64_t size_of_vocabulary(const Json* vocabulary) {
  int64_t size = 0;
  if (vocabulary == nullptr || !vocabulary->is_object()) return size;
  for (const auto& [token, id] : vocabulary->items()) size = std::max(size, to_count(id).value_or(-1) + 1);
  return size;
}

// The number of tokens that the files of a folder name.
Result<int64_t> count_tokens(const std::string& folder) {
  PLM_TRY(const Json tokenizer, read_json_object_if_there(folder + "/tokenizer.json"));
  int64_t size = 0;
  if (tokenizer.contains("model") && tokenizer["model"].is_object()) {
    size = size_of_vocabulary(JsonFields(tokenizer["model"], folder).find("vocab"));
  }
  if (tokenizer.contains("added_tokens") && tokenizer["added_tokens"].is_array()) {
    for (const Json& added : tokenizer["added_tokens"]) {
      if (added.is_object() && added.contains("id")) {
        size = std::max(size, to_count(added["id"]).value_or(-1) + 1);
      }
    }
  }
  for (const char* name : {"/vocab.json", "/added_tokens.json"}) {
    PLM_TRY(const Json vocabulary, read_json_object_if_there(folder + name));
    size = std::max(size, size_of_vocabulary(&vocabulary));
  }
  return size;
}

Status write_file(const fs::path& path, std::string_view text) {
  PLM_TRY(AtomicFile file, AtomicFile::create(path.string()));
  PLM_TRY_STATUS(file.write(text));
  return file.commit();
}

JsonOut tokenizer_config(const VocabularyData& data) {
  JsonOut config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"add_prefix_space", false},
                 {"clean_up_tokenization_spaces", false}};
  const auto set = [&](const char* name, const std::optional<int64_t>& id) {
    if (id) {
      config[name] = data.tokens[static_cast<size_t>(*id)];
    } else {
      config[name] = nullptr;
    }
  };
  set("bos_token", data.bos_id);
  set("eos_token", data.eos_id);
  set("pad_token", data.padding_id);
  set("unk_token", data.unknown_id);
  if (!data.chat_template.empty()) config["chat_template"] = data.chat_template;
  return config;
}

}  // namespace

Result<VocabularyData> read_tokenizer_folder(const std::string& folder) {
  const std::string config_path = folder + "/config.json";
  PLM_TRY(const Json config_json, read_json_object_if_there(config_path));
  const JsonFields config(config_json, config_path);
  PLM_TRY(int64_t size, config.size_or("vocab_size", 0));
  if (size == 0) {
    PLM_TRY(size, count_tokens(folder));
  }
  PLM_TRY(auto vocabulary, read_hf_vocabulary(folder, config, size));
  return std::move(vocabulary.data);
}

Status write_tokenizer_folder(const std::string& folder, const VocabularyData& data) {
  PLM_TRY(const JsonOut tokenizer, make_tokenizer_json(data));
  std::string merges = "#version: 0.2\n";
  for (const auto& merge : data.merges) merges += merge + "\n";
  PLM_TRY(const std::string tokenizer_text, dump_json(tokenizer, "tokenizer.json"));
  PLM_TRY(const std::string vocabulary_text, dump_json(tokenizer["model"]["vocab"], "vocab.json"));
  PLM_TRY(const std::string config_text, dump_json(tokenizer_config(data), "tokenizer_config.json"));

  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return make_error(ErrorKind::io, "{}: cannot make the folder: {}", folder, error.message());
  const fs::path place(folder);
  PLM_TRY_STATUS(write_file(place / "vocab.json", vocabulary_text));
  PLM_TRY_STATUS(write_file(place / "merges.txt", merges));
  PLM_TRY_STATUS(write_file(place / "tokenizer_config.json", config_text));
  return write_file(place / "tokenizer.json", tokenizer_text);
}

}  // namespace plm::convert
