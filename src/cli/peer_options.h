// Options of llama-server that plm has no use for: it does what they ask for anyway, or it makes no
// difference to an answer. They are taken so that a command line need not be rewritten.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace plm::cli {

class PeerOptions {
 public:
  void add_to(CLI::App& app);

  // Says on stderr which of them were given.
  void tell() const;

 private:
  CLI::App* app_ = nullptr;
  std::string ignored_;  // their values
};

}  // namespace plm::cli
