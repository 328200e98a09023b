// The part of pull() that needs the network. A build without downloads (PLM_DOWNLOAD=OFF) has
// online_absent.cpp in its place, where both fail with unsupported.
#pragma once

#include <string>
#include <vector>

#include "hub/pull.h"

namespace plm::hub {

struct Listing {
  std::string commit;
  std::vector<std::string> files;  // checked names, sorted
};

// What the hub has at the request's revision.
Result<Listing> list_revision(const PullRequest& request, const Settings& settings, const PullHooks& hooks);

// Brings these files into the cache, links them into the snapshot and notes the revision.
Result<Pulled> fetch_files(const PullRequest& request, const Listing& listing,
                           const std::vector<std::string>& names, const Settings& settings,
                           const PullHooks& hooks);

}  // namespace plm::hub
