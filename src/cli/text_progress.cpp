#include "cli/text_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/interrupt.h"
#include "cli/output.h"

namespace plm::cli {

std::string bytes_text(double bytes) {
  if (bytes < 1e6) return fmt::format("{:.1f} kB", bytes / 1e3);
  return bytes < 1e9 ? fmt::format("{:.1f} MB", bytes / 1e6) : fmt::format("{:.2f} GB", bytes / 1e9);
}

bool TextProgress::show(const train::PrepareProgress& progress) {
  if (interrupted()) return false;
  const auto now = Clock::now();
  const bool is_terminal = ::isatty(STDERR_FILENO) == 1;
  if (now - shown_ < std::chrono::milliseconds(is_terminal ? 200 : 10'000)) return true;
  shown_ = now;
  const double share = progress.file_bytes_all == 0 ? 1
                                                    : static_cast<double>(progress.file_bytes_read) /
                                                          static_cast<double>(progress.file_bytes_all);
  std::string line = fmt::format("{:3.0f} %  {} documents", 100 * share, progress.documents);
  if (progress.is_catching_up) {
    line += "  passing over what an earlier run prepared";
  } else {
    const double rate = static_cast<double>(progress.text_bytes) / std::max(seconds(), 1e-3);
    line += fmt::format("  {}  {}/s", bytes_text(static_cast<double>(progress.text_bytes)), bytes_text(rate));
    if (progress.tokens > 0)
      line += fmt::format("  {:.1f} M tokens", static_cast<double>(progress.tokens) / 1e6);
    if (share > 0) line += fmt::format("  {:.0f} s left", seconds() / share * (1 - share));
  }
  if (is_terminal) {
    fmt::print(stderr, "\r\033[K{}", line);
    is_open_ = true;
  } else {
    talk_line(line);
  }
  return true;
}

void TextProgress::end() {
  if (is_open_) fmt::print(stderr, "\n");
  is_open_ = false;
}

}  // namespace plm::cli
