// Writing a file so that a reader sees the old one or the whole new one, never a part.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/error.h"

namespace plm {

// Writes to a temporary file beside `path`; commit() syncs it and renames it into place. Without
// commit() (an error, an exception, a signal handled by unwinding) the temporary file is removed
// and `path` is untouched.
class AtomicFile {
 public:
  // Any number may be under way for one path, in this process and others: the last to commit wins.
  // Refuses to take the place of what is there and is no regular file (a folder, /dev/null), and what
  // check_file_name() does.
  static Result<AtomicFile> create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text) { return write(std::as_bytes(std::span(text.data(), text.size()))); }
  // Writes at an earlier place; the end of the file does not move back.
  Status write_at(size_t offset, std::span<const std::byte> bytes);
  size_t size() const { return size_; }

  Status commit();

 private:
  AtomicFile() = default;
  void discard();

  std::string path_;
  std::string temporary_path_;
  int fd_ = -1;
  size_t size_ = 0;
};

}  // namespace plm
