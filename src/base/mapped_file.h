// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/error.h"

namespace plm {

// Owns the mapping; moving keeps addresses valid. Reading after the file was truncated by
// somebody else raises SIGBUS, as with any mapping: do not shrink a model that is in use.
class MappedFile {
 public:
  // Refuses anything that is not a regular file (directories, devices, pipes) by name, and what
  // check_file_name() does. An empty file gives an empty span.
  static Result<MappedFile> open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  // The pages of this range are not needed soon; the kernel may drop them. A hint.
  void discard(size_t offset, size_t size) const;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace plm
