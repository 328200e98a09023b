#include "cli/lora_options.h"

#include <charconv>
#include <cmath>

#include "convert/peft.h"
#include "gguf/gguf_file.h"

namespace plm::cli {

namespace {

Result<float> read_scale(const std::string& file, const std::string& text) {
  float scale = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, scale);
  if (problem == std::errc() && rest == end && std::isfinite(scale)) return scale;
  return make_error(ErrorKind::invalid_argument, "--lora-scaled {}: found \"{}\", expected a finite number",
                    file, text);
}

}  // namespace

void LoraOptions::add_to(CLI::App& app) {
  app.add_option("--lora", files_, "LoRA adapter: a GGUF file or PEFT's folder; may be repeated")
      ->allow_extra_args(false)
      ->type_name("FILE");
  app.add_option("--lora-scaled", scaled_words_, "the same, so many times as strong; may be repeated")
      ->type_size(2)
      ->allow_extra_args(false)
      ->type_name("FILE SCALE");
}

Result<std::vector<std::pair<std::string, float>>> LoraOptions::named() const {
  std::vector<std::pair<std::string, float>> all;
  for (const std::string& file : files_) all.emplace_back(file, 1.0F);
  for (size_t i = 0; i + 1 < scaled_words_.size(); i += 2) {
    PLM_TRY(const float scale, read_scale(scaled_words_[i], scaled_words_[i + 1]));
    all.emplace_back(scaled_words_[i], scale);
  }
  return all;
}

Result<std::vector<model::ScaledAdapter>> LoraOptions::load(const std::string& model_path) const {
  std::vector<model::ScaledAdapter> adapters;
  if (empty()) return adapters;
  PLM_TRY(const auto all, named());
  PLM_TRY(const gguf::File base, gguf::File::open(model_path));
  for (const auto& [file, scale] : all) {
    PLM_TRY(model::Adapter adapter, convert::read_adapter(file, base));
    adapters.push_back({std::make_shared<const model::Adapter>(std::move(adapter)), scale});
  }
  return adapters;
}

}  // namespace plm::cli
