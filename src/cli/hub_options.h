// The options of what is fetched from the Hugging Face hub, and the talk while it comes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/error.h"
#include "hub/pull.h"

namespace plm::cli {

class HubOptions {
 public:
  // Declares --hf-token and --offline.
  void add_to(CLI::App& app);

  // The environment's settings with the command line's over them.
  Result<hub::Settings> settings() const;

 private:
  std::string token_;
  bool is_offline_ = false;
};

// Pulls, with progress and notes on stderr. Ctrl-C ends it; what has come is continued the next time.
Result<hub::Pulled> pull_shown(const hub::PullRequest& request, const hub::Settings& settings);

}  // namespace plm::cli
