#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace plm::cli {

namespace {
bool is_closed = false;
}

Status write_output(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      is_closed = errno == EPIPE;
      return errno_error("stdout", "cannot write", errno);
    }
  }
  return {};
}

bool output_is_closed() { return is_closed; }

void talk_line(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

}  // namespace plm::cli
