// Built without OpenSSL (-DPLM_TLS=OFF).
#include "server/byte_stream.h"

namespace plm::server {

Result<std::shared_ptr<TlsIdentity>> TlsIdentity::load(const std::string&, const std::string&) {
  return make_error(ErrorKind::unsupported, "this plm was built without TLS (-DPLM_TLS=ON needs OpenSSL)");
}

}  // namespace plm::server
