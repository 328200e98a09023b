#include "train/program/export.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "convert/convert.h"
#include "train/core/weights_file.h"

namespace plm::train {
namespace {

namespace fs = std::filesystem;

constexpr std::array kTokenizerFiles{"tokenizer.json",    "tokenizer_config.json", "vocab.json",
                                     "merges.txt",        "tokenizer.model",       "special_tokens_map.json",
                                     "added_tokens.json", "chat_template.jinja",   "generation_config.json"};

Status write_whole(const std::string& path, std::span<const std::byte> bytes) {
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  PLM_TRY_STATUS(file.write(bytes));
  return file.commit();
}

// The configuration as it was read, with the type that the weights now have.
std::string config_text(const ModelConfig& config, StoredAs stored_as) {
  auto json = nlohmann::ordered_json::parse(config.json);
  json["torch_dtype"] = stored_as == StoredAs::bf16 ? "bfloat16" : "float32";
  return json.dump(2) + "\n";
}

}  // namespace

Status export_model(const Settings& settings, Model& model) {
  const std::string folder = settings.output_dir + "/model";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return make_error(ErrorKind::io, "{}: cannot create: {}", folder, error.message());
  const StoredAs stored_as = settings.bf16 ? StoredAs::bf16 : StoredAs::f32;
  PLM_TRY_STATUS(
      write_parameters(folder + "/model.safetensors", model.layout(), {{"", model.masters()}}, stored_as));
  const std::string config = config_text(model.config(), stored_as);
  PLM_TRY_STATUS(
      write_whole(folder + "/config.json", std::as_bytes(std::span(config.data(), config.size()))));
  for (const char* name : kTokenizerFiles) {
    const std::string source = settings.model_name_or_path + "/" + name;
    if (!fs::exists(source)) continue;
    PLM_TRY(const MappedFile file, MappedFile::open(source));
    PLM_TRY_STATUS(write_whole(folder + "/" + name, file.bytes()));
  }
  const auto& formats = settings.export_formats;
  if (std::find(formats.begin(), formats.end(), "gguf") == formats.end()) return {};
  PLM_TRY(const convert::Report report,
          convert::huggingface_to_gguf(folder, settings.output_dir + "/model.gguf", {.overwrite = true}));
  return {};
}

}  // namespace plm::train
