#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "base/file_name.h"

namespace plm {

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  PLM_TRY_STATUS(check_file_name(path));
  struct stat there{};
  if (::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    return make_error(ErrorKind::io, "{}: found {}, expected a regular file or none", path,
                      S_ISDIR(there.st_mode) ? "a directory" : "a device, pipe or socket");
  }
  static std::atomic<uint64_t> n_created = 0;
  AtomicFile file;
  file.path_ = path;
  file.temporary_path_ = fmt::format("{}.{}-{}.part", path, ::getpid(), ++n_created);
  file.fd_ = ::open(file.temporary_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file.fd_ < 0) return errno_error(file.temporary_path_, "cannot create", errno);
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_path_(std::move(other.temporary_path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_path_, other.temporary_path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  ::unlink(temporary_path_.c_str());
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  PLM_TRY_STATUS(write_at(size_, bytes));
  return {};
}

Status AtomicFile::write_at(size_t offset, std::span<const std::byte> bytes) {
  PLM_CHECK(fd_ >= 0);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(temporary_path_, "cannot write", errno);
    done += static_cast<size_t>(n);
  }
  size_ = std::max(size_, offset + done);
  return {};
}

Status AtomicFile::commit() {
  PLM_CHECK(fd_ >= 0);
  if (::fsync(fd_) != 0) return errno_error(temporary_path_, "cannot sync to disk", errno);
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    return errno_error(path_, "cannot rename into place", errno);
  }
  ::close(std::exchange(fd_, -1));
  // The rename itself is durable only once the directory is synced. Some file systems refuse
  // that; the file is whole either way.
  const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
  const int dir = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0) {
    ::fsync(dir);
    ::close(dir);
  }
  return {};
}

}  // namespace plm
