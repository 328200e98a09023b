// The hub's answers about a repository: its files at a revision, and the bytes behind one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hub/http.h"

namespace plm::hub {

struct Revision {
  std::string commit;
  std::vector<std::string> files;  // checked names, sorted
};

struct FileFacts {
  std::string hash;  // SHA-256 or git's, see digest.h
  uint64_t bytes = 0;
};

class HubApi {
 public:
  HubApi(HttpClient& client, const Settings& settings, Retries::Options retries)
      : client_(client), settings_(settings), retries_(std::move(retries)) {}

  // GET /api/models/USER/REPO/revision/REVISION
  Result<Revision> revision(const std::string& repository, const std::string& revision);

  // HEAD /USER/REPO/resolve/COMMIT/FILE
  Result<FileFacts> facts(const std::string& repository, const std::string& commit, const std::string& file);

  std::string file_url(const std::string& repository, const std::string& commit,
                       const std::string& file) const;

 private:
  HttpClient& client_;
  const Settings& settings_;
  Retries::Options retries_;
};

// What an answer that is neither a success nor passing trouble means. `has_token`: whether one was sent.
Error refusal(const HttpResponse& response, std::string_view where, std::string_view what, bool has_token);

}  // namespace plm::hub
