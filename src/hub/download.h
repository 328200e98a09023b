// One file's bytes from the hub to their place in the cache: continued where they broke off, checked,
// renamed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "hub/http.h"

namespace plm::hub {

struct BlobRequest {
  std::string url;
  std::string where;  // for messages: "USER/REPO/FILE"
  std::string path;   // of the blob; path + ".incomplete" holds what has come
  std::string hash;   // see digest.h
  uint64_t bytes = 0;
  bool has_token = false;
};

// The caller holds the blob's lock. on_progress may be empty.
Status download_blob(HttpClient& client, const BlobRequest& request, const Retries::Options& retries,
                     const std::function<void(uint64_t bytes_there)>& on_progress);

}  // namespace plm::hub
