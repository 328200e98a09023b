// Fetching files of a repository of the Hugging Face hub into the cache that huggingface_hub shares. Start
// here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "hub/select.h"
#include "hub/settings.h"

namespace plm::hub {

struct PullRequest {
  std::string repository;  // "USER/REPO", checked by parse_source
  std::string revision = "main";
  Wish wish;
};

struct PulledFile {
  std::string name;  // in the repository
  std::string path;  // in the cache: a link to the bytes
  uint64_t bytes = 0;
  bool was_cached = false;
};

struct Pulled {
  std::string repository, revision, commit;
  std::string folder;  // the snapshot: all files of this commit that were ever fetched
  std::vector<PulledFile> files;
};

// May be empty. Called by the thread that pulls.
struct PullHooks {
  std::function<void(const std::string& file, uint64_t bytes_there, uint64_t bytes)> on_progress = {};
  std::function<void(const std::string& line)> on_note = {};  // a line for people: waits, tries again
  const std::atomic<bool>* cancel = nullptr;
};

// Fetches what is wished and not there yet. A file that is broken off stays as far as it came and is
// continued the next time; it gets its name only when its length and hash are those the hub tells. Two
// processes may pull the same. Offline (settings) serves from the cache alone; so does a hub that cannot be
// reached.
//
// Errors: not_found (repository, revision, file; offline: not cached), unsupported (access refused), bad_data
// (lengths, hashes, names or answers that are wrong), io (network, disk), cancelled.
Result<Pulled> pull(const PullRequest& request, const Settings& settings, const PullHooks& hooks);

// The same from the cache alone.
Result<Pulled> pull_cached(const PullRequest& request, const Settings& settings);

}  // namespace plm::hub
