// Where a conversion writes: checks before the work, and folders that appear whole. Internal to the folder.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace plm::convert {

// Refuses when `output` is `input` or lies in it, when it is there and must not be overwritten, and when its
// disk has less than `bytes` free.
struct OutputPlace {
  std::string input, output;
  bool overwrite = false;
  bool is_folder = false;  // what the output is to be
  uint64_t bytes = 0;
};
Status check_place(const OutputPlace& place);

// A folder filled beside its place: commit() renames it there, or file by file into a folder that exists.
// Dropped before, it leaves nothing behind.
class StagedFolder {
 public:
  static Result<StagedFolder> create(const std::string& path);

  StagedFolder(StagedFolder&& other) noexcept;
  StagedFolder& operator=(StagedFolder&&) = delete;
  ~StagedFolder();

  // Where to write the files.
  const std::string& path() const { return staging_; }

  // Weights of an earlier conversion that the new files do not replace are removed from an existing folder,
  // so that it never holds two models.
  Status commit();

 private:
  StagedFolder() = default;

  std::string path_;
  std::string staging_;  // empty after commit
};

// Writes a small text file atomically.
Status write_text_file(const std::string& path, std::string_view text);

}  // namespace plm::convert
