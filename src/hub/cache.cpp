#include "hub/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <thread>
#include <utility>

#include "base/atomic_file.h"
#include "hub/names.h"

namespace plm::hub {
namespace {

namespace fs = std::filesystem;

Status make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return errno_error(path.string(), "cannot create the folder", error.value());
  return {};
}

}  // namespace

Cache::Cache(std::string folder, const std::string& repository)
    : folder_(std::move(folder)), repository_folder_(repository_folder(repository)) {}

std::optional<std::string> Cache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  std::ifstream file(fs::path(folder_) / repository_folder_ / "refs" / revision);
  std::string commit;
  file >> std::setw(64) >> commit;
  return is_commit(commit) ? std::optional(commit) : std::nullopt;
}

Status Cache::set_commit(const std::string& revision, const std::string& commit) const {
  if (revision == commit || commit_of(revision) == commit) return {};
  const fs::path path = fs::path(folder_) / repository_folder_ / "refs" / revision;
  PLM_TRY_STATUS(make_folder(path.parent_path()));
  PLM_TRY(AtomicFile file, AtomicFile::create(path.string()));
  PLM_TRY_STATUS(file.write(commit));
  return file.commit();
}

std::string Cache::snapshot(const std::string& commit) const {
  return (fs::path(folder_) / repository_folder_ / "snapshots" / commit).string();
}

std::string Cache::snapshot_file(const std::string& commit, const std::string& file) const {
  return (fs::path(snapshot(commit)) / file).string();
}

std::string Cache::blob(const std::string& hash) const {
  return (fs::path(folder_) / repository_folder_ / "blobs" / hash).string();
}

std::string Cache::lock_path(const std::string& hash) const {
  return (fs::path(folder_) / ".locks" / repository_folder_ / (hash + ".lock")).string();
}

std::vector<std::string> Cache::files_of(const std::string& commit) const {
  std::vector<std::string> files;
  const fs::path root = snapshot(commit);
  std::error_code error;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    // A link whose blob is gone is no file.
    if (it->is_regular_file(ignored)) files.push_back(it->path().lexically_relative(root).generic_string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Status Cache::link(const std::string& commit, const std::string& file, const std::string& hash) const {
  const fs::path path = snapshot_file(commit, file);
  const fs::path target = fs::path(blob(hash)).lexically_relative(path.parent_path());
  std::error_code error;
  if (fs::read_symlink(path, error) == target) return {};
  PLM_TRY_STATUS(make_folder(path.parent_path()));
  // Made under another name first: a reader never finds the file missing.
  const fs::path temporary = path.string() + fmt::format(".{}.part", ::getpid());
  fs::remove(temporary, error);
  fs::create_symlink(target, temporary, error);
  if (error) return errno_error(temporary.string(), "cannot create the link", error.value());
  fs::rename(temporary, path, error);
  if (!error) return {};
  const int code = error.value();
  fs::remove(temporary, error);
  return errno_error(path.string(), "cannot rename into place", code);
}

Result<FileLock> FileLock::acquire(const std::string& path, const Waiting& waiting) {
  constexpr auto kAskEvery = std::chrono::milliseconds(50);
  PLM_TRY_STATUS(make_folder(fs::path(path).parent_path()));
  bool has_waited = false;
  for (;;) {
    FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0664));
    if (lock.fd_ < 0) return errno_error(path, "cannot open the lock", errno);
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) == 0) {
      // Python's filelock removes the file when it lets go: a lock on a removed file holds nobody off.
      struct stat held = {}, there = {};
      if (::fstat(lock.fd_, &held) == 0 && ::stat(path.c_str(), &there) == 0 && held.st_ino == there.st_ino &&
          held.st_dev == there.st_dev) {
        return lock;
      }
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return errno_error(path, "cannot lock", errno);
    if (!has_waited && waiting.on_wait) waiting.on_wait();
    has_waited = true;
    if (waiting.cancel != nullptr && *waiting.cancel) return Error{ErrorKind::cancelled, "interrupted"};
    std::this_thread::sleep_for(kAskEvery);
  }
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace plm::hub
