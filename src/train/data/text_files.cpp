#include "train/data/text_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

namespace plm::train {

namespace {

namespace fs = std::filesystem;

std::optional<FileForm> form_of(fs::path path) {
  if (path.extension() == ".gz" || path.extension() == ".zst") path = path.stem();
  constexpr std::array<std::pair<std::string_view, FileForm>, 5> kForms = {
      {{".txt", FileForm::text},
       {".md", FileForm::text},
       {".json", FileForm::json},
       {".jsonl", FileForm::json_lines},
       {".ndjson", FileForm::json_lines}}};
  for (const auto& [extension, form] : kForms) {
    if (path.extension() == extension) return form;
  }
  return std::nullopt;
}

Status add_folder(const fs::path& folder, std::vector<TextFile>& files) {
  const size_t before = files.size();
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) {
      if (entry->is_directory(error)) entry.disable_recursion_pending();
      continue;
    }
    const auto form = form_of(entry->path());
    if (!form || !entry->is_regular_file(error)) continue;
    files.push_back({entry->path().string(), *form, static_cast<int64_t>(entry->file_size(error))});
  }
  if (error) return make_error(ErrorKind::io, "{}: cannot list: {}", folder.string(), error.message());
  if (files.size() == before) {
    return make_error(ErrorKind::not_found,
                      "{}: no .txt, .md, .json, .jsonl or .ndjson file (.gz, .zst) in it", folder.string());
  }
  std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end(),
            [](const TextFile& a, const TextFile& b) { return a.path < b.path; });
  return {};
}

}  // namespace

Result<std::vector<TextFile>> find_text_files(const std::vector<std::string>& paths) {
  std::vector<TextFile> files;
  for (const fs::path path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      return make_error(ErrorKind::not_found, "{}: no such file or folder", path.string());
    }
    if (fs::is_directory(status)) {
      PLM_TRY_STATUS(add_folder(path, files));
    } else if (fs::is_regular_file(status)) {
      const auto bytes = fs::file_size(path, error);
      files.push_back({path.string(), form_of(path).value_or(FileForm::text), static_cast<int64_t>(bytes)});
    } else {
      return make_error(ErrorKind::unsupported, "{}: neither a file nor a folder", path.string());
    }
  }
  return files;
}

}  // namespace plm::train
