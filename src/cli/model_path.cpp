#include "cli/model_path.h"

#include <array>
#include <cstdlib>
#include <filesystem>

#include "cli/command.h"
#include "hub/names.h"

namespace plm::cli {

namespace {

constexpr std::string_view kBundledModel = "story-7m-f16.gguf";
constexpr std::array<std::string_view, 2> kModelFolders = {"../share/plm/models", "../../models"};

std::filesystem::path program_folder() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path(".") : program.parent_path();
}

}  // namespace

Result<std::string> find_model(const std::string& given) {
  if (!given.empty()) return given;
  if (const char* named = std::getenv("PLM_MODEL"); named != nullptr && *named != '\0')
    return std::string(named);
  std::string looked_at;
  for (const std::string_view folder : kModelFolders) {
    const auto path = (program_folder() / folder / kBundledModel).lexically_normal();
    std::error_code error;
    if (std::filesystem::exists(path, error)) return path.string();
    looked_at += (looked_at.empty() ? "" : " or ") + path.string();
  }
  return make_error(ErrorKind::not_found,
                    "no model: give one with -m FILE or in PLM_MODEL; the bundled one is not at {}",
                    looked_at);
}

void ModelSource::add_to(CLI::App& app, const std::string& file_names) {
  app.add_option(file_names, file_, "GGUF file (default: $PLM_MODEL, else the bundled model)")
      ->check(not_empty())
      ->type_name("FILE");
  app.add_option("--hf-repo", repository_, "(-hf) USER/REPO[:QUANT]: a model of the Hugging Face hub")
      ->type_name("REPO");
  app.add_option("--hf-file", repository_file_, "(-hff) this file of it")->type_name("FILE");
  hub_.add_to(app);
}

Result<std::string> ModelSource::find() const {
  if (repository_.empty()) {
    if (repository_file_.empty()) return find_model(file_);
    return make_error(ErrorKind::invalid_argument, "-hff {}: needs -hf USER/REPO", repository_file_);
  }
  if (!file_.empty()) return make_error(ErrorKind::invalid_argument, "-m and -hf exclude each other");
  PLM_TRY(const hub::Source source, hub::parse_source(repository_));
  if (!source.quant.empty() && !repository_file_.empty()) {
    return make_error(ErrorKind::invalid_argument, "-hf {}: a quantisation and -hff exclude each other",
                      repository_);
  }
  PLM_TRY(const hub::Settings settings, hub_.settings());
  const hub::PullRequest request{.repository = source.repository,
                                 .wish = {.quant = source.quant, .file = repository_file_, .globs = {}}};
  PLM_TRY(const hub::Pulled pulled, pull_shown(request, settings));
  return pulled.files.front().path;
}

}  // namespace plm::cli
