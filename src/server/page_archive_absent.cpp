#include "server/page_archive.h"

namespace plm::server {

std::string_view page_archive() { return {}; }

}  // namespace plm::server
