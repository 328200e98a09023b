#include "cli/model_path.h"

#include <array>
#include <cstdlib>
#include <filesystem>

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

}  // namespace plm::cli
