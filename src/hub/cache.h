// The folder that plm shares with huggingface_hub and all that use it:
//
//   CACHE/models--USER--REPO/refs/main                      holds the commit that `main` was
//                            snapshots/COMMIT/FILE          a link to ../../blobs/HASH
//                            blobs/HASH                     the bytes, once, under their hash
//                            blobs/HASH.incomplete          as far as they have come
//   CACHE/.locks/models--USER--REPO/HASH.lock               held (flock) while HASH comes
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace plm::hub {

class Cache {
 public:
  // `folder` need not exist; `repository` has been checked (names.h).
  Cache(std::string folder, const std::string& repository);

  // The commit that a branch or tag was when it was last asked for; a commit is itself.
  std::optional<std::string> commit_of(const std::string& revision) const;
  Status set_commit(const std::string& revision, const std::string& commit) const;

  std::string snapshot(const std::string& commit) const;  // the folder
  std::string snapshot_file(const std::string& commit, const std::string& file) const;
  std::string blob(const std::string& hash) const;

  // Files of a snapshot whose bytes are there, in order of their names.
  std::vector<std::string> files_of(const std::string& commit) const;

  // Makes the snapshot's file a link to the blob.
  Status link(const std::string& commit, const std::string& file, const std::string& hash) const;

  std::string lock_path(const std::string& hash) const;

 private:
  std::string folder_, repository_folder_;
};

// Held by one process at a time, until destroyed. Waits for another holder; on_wait (may be empty) is called
// once when that is so. Fails with cancelled when *cancel is set meanwhile.
class FileLock {
 public:
  struct Waiting {
    const std::atomic<bool>* cancel = nullptr;
    std::function<void()> on_wait = {};
  };
  static Result<FileLock> acquire(const std::string& path, const Waiting& waiting);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace plm::hub
