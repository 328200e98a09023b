#include "convert/output_place.h"

#include <unistd.h>

#include <filesystem>
#include <set>
#include <utility>

#include "base/atomic_file.h"
#include "base/disk_space.h"

namespace plm::convert {
namespace {

namespace fs = std::filesystem;

// The folder a path lies in, "." for a bare name.
fs::path parent_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

fs::path without_trailing_slash(const std::string& path) {
  const fs::path whole(path);
  return whole.has_filename() ? whole : whole.parent_path();
}

Error system_error(const fs::path& path, std::string_view what, const std::error_code& error) {
  return make_error(ErrorKind::io, "{}: {}: {}", path.string(), what, error.message());
}

// "model.safetensors", its shards and their index.
bool is_weights(const std::string& name) {
  return name.starts_with("model") &&
         (name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json"));
}

}  // namespace

Status check_place(const OutputPlace& place) {
  std::error_code error;
  const fs::path output = without_trailing_slash(place.output);
  const fs::path parent = parent_of(output);
  if (!fs::is_directory(parent, error)) {
    return make_error(ErrorKind::not_found, "{}: the folder {} does not exist", place.output,
                      parent.string());
  }
  if (fs::exists(output, error)) {
    if (fs::equivalent(place.input, output, error)) {
      return make_error(ErrorKind::invalid_argument, "{}: input and output are the same", place.output);
    }
    if (fs::is_directory(output, error) != place.is_folder) {
      return make_error(ErrorKind::io, "{}: found {}, expected {}", place.output,
                        place.is_folder ? "a file" : "a folder", place.is_folder ? "a folder" : "a file");
    }
    const bool is_empty_folder = fs::is_directory(output, error) && fs::is_empty(output, error);
    if (!place.overwrite && !is_empty_folder) {
      return make_error(ErrorKind::io, "{} is there already; --force writes over it", place.output);
    }
  }
  return check_free_space(output.string(), place.bytes);
}

Result<StagedFolder> StagedFolder::create(const std::string& path) {
  StagedFolder folder;
  folder.path_ = without_trailing_slash(path).string();
  const std::string staging = fmt::format("{}.{}.part", folder.path_, ::getpid());
  std::error_code error;
  if (!fs::create_directory(staging, error)) {
    if (!error) error = std::make_error_code(std::errc::file_exists);
    return system_error(staging, "cannot create", error);
  }
  folder.staging_ = staging;
  return folder;
}

StagedFolder::StagedFolder(StagedFolder&& other) noexcept
    : path_(std::move(other.path_)), staging_(std::exchange(other.staging_, "")) {}

StagedFolder::~StagedFolder() {
  if (staging_.empty()) return;
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
}

Status StagedFolder::commit() {
  std::error_code error;
  if (!fs::exists(path_, error)) {
    fs::rename(staging_, path_, error);
    if (error) return system_error(path_, "cannot rename into place", error);
    staging_.clear();
    return {};
  }
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(staging_, error))
    names.insert(entry.path().filename().string());
  for (const std::string& name : names) {
    fs::rename(fs::path(staging_) / name, fs::path(path_) / name, error);
    if (error) return system_error(fs::path(path_) / name, "cannot rename into place", error);
  }
  std::set<std::string> stale;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename().string();
    if (is_weights(name) && !names.contains(name)) stale.insert(name);
  }
  for (const std::string& name : stale) fs::remove(fs::path(path_) / name, error);
  return {};
}

Status write_text_file(const std::string& path, std::string_view text) {
  PLM_TRY(AtomicFile file, AtomicFile::create(path));
  PLM_TRY_STATUS(file.write(text));
  return file.commit();
}

}  // namespace plm::convert
