#include "base/error.h"

#include <cstring>

namespace plm {

Error Error::with_context(std::string_view context) const {
  return Error{kind, fmt::format("{}: {}", context, message)};
}

Error errno_error(std::string_view path, std::string_view what, int errno_value) {
  const ErrorKind kind = errno_value == ENOENT   ? ErrorKind::not_found
                         : errno_value == ENOMEM ? ErrorKind::out_of_memory
                                                 : ErrorKind::io;
  return Error{kind, fmt::format("{}: {}: {}", path, what, std::strerror(errno_value))};
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "plm: internal error: %s is false (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace plm
