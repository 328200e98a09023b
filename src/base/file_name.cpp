#include "base/file_name.h"

namespace plm {

Status check_file_name(std::string_view path) {
  if (path.empty()) return make_error(ErrorKind::invalid_argument, "the name of a file: found none");
  if (const size_t end = path.find('\0'); end != std::string_view::npos) {
    return make_error(ErrorKind::invalid_argument, "{}: found a NUL in the name of a file",
                      path.substr(0, end));
  }
  return {};
}

}  // namespace plm
