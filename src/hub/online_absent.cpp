#include "hub/online.h"

namespace plm::hub {

Result<Listing> list_revision(const PullRequest& request, const Settings&, const PullHooks&) {
  return make_error(ErrorKind::unsupported,
                    "{}: this plm was built without downloads; --offline reads the cache",
                    request.repository);
}

Result<Pulled> fetch_files(const PullRequest& request, const Listing&, const std::vector<std::string>&,
                           const Settings&, const PullHooks&) {
  return make_error(ErrorKind::unsupported, "{}: this plm was built without downloads", request.repository);
}

}  // namespace plm::hub
