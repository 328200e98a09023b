#include "cli/hub_options.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "cli/interrupt.h"
#include "cli/output.h"

namespace plm::cli {

namespace {

using Clock = std::chrono::steady_clock;

std::string size_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.0f} kB", bytes / 1e3);
}

std::string time_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

// A line that is written over on a terminal, several times a second; a line now and then in a log.
class ProgressLine {
 public:
  void show(const std::string& file, uint64_t bytes_there, uint64_t bytes) {
    const auto now = Clock::now();
    if (file != file_) {
      file_ = file;
      began_ = shown_ = now;
      bytes_at_begin_ = bytes_there;
      if (!is_terminal_) talk("plm: fetching {}, {}", file, size_text(static_cast<double>(bytes)));
    }
    const bool is_done = bytes_there == bytes;
    const std::chrono::duration<double> pause(is_terminal_ ? 0.2 : 10.0);
    if (!is_done && now - shown_ < pause) return;
    shown_ = now;
    const double seconds = std::max(std::chrono::duration<double>(now - began_).count(), 1e-3);
    const double rate = static_cast<double>(bytes_there - std::min(bytes_at_begin_, bytes_there)) / seconds;
    std::string line = fmt::format("{}  {:3.0f} %  {} of {}  {}/s", file,
                                   100 * static_cast<double>(bytes_there) / static_cast<double>(bytes),
                                   size_text(static_cast<double>(bytes_there)),
                                   size_text(static_cast<double>(bytes)), size_text(rate));
    if (!is_done && rate > 0) {
      line += fmt::format("  {} left", time_text(static_cast<double>(bytes - bytes_there) / rate));
    }
    if (is_terminal_) {
      fmt::print(stderr, "\r\033[K{}", line);
      is_open_ = true;
      if (is_done) end();
    } else {
      talk("plm: {}", line);
    }
  }

  // Before something else is written.
  void end() {
    if (is_open_) fmt::print(stderr, "\n");
    is_open_ = false;
  }

 private:
  const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  std::string file_;
  Clock::time_point began_, shown_;
  uint64_t bytes_at_begin_ = 0;
  bool is_open_ = false;
};

}  // namespace

void HubOptions::add_to(CLI::App& app) {
  app.add_option("--hf-token,--token", token_, "(-hft) token for the hub (default: $HF_TOKEN)")
      ->type_name("TOKEN");
  app.add_flag("--offline", is_offline_, "fetch nothing: what was fetched before must do");
}

Result<hub::Settings> HubOptions::settings() const {
  PLM_TRY(hub::Settings settings, hub::settings_from([](const char* name) { return std::getenv(name); }));
  if (!token_.empty()) {
    PLM_TRY_STATUS(hub::check_token(token_, "--hf-token"));
    settings.token = token_;
  }
  if (is_offline_) settings.is_offline = true;
  return settings;
}

Result<hub::Pulled> pull_shown(const hub::PullRequest& request, const hub::Settings& settings) {
  ProgressLine line;
  hub::PullHooks hooks;
  hooks.cancel = interrupt_flag();
  hooks.on_progress = [&](const std::string& file, uint64_t bytes_there, uint64_t bytes) {
    line.show(file, bytes_there, bytes);
  };
  hooks.on_note = [&](const std::string& note) {
    line.end();
    talk("plm: {}", note);
  };
  auto pulled = hub::pull(request, settings, hooks);
  line.end();
  return pulled;
}

}  // namespace plm::cli
