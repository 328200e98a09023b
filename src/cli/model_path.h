// Which model is meant: a file, one of the hub, or the bundled one.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/error.h"
#include "cli/hub_options.h"

namespace plm::cli {

// `given`, unless empty; else $PLM_MODEL; else the bundled model, beside the installed program
// (../share/plm/models) or in the source tree it was built in (../../models). Fails with not_found, saying
// where it looked.
Result<std::string> find_model(const std::string& given);

// The options that name a model: -m, and llama.cpp's -hf, -hff, -hft and --offline.
class ModelSource {
 public:
  // file_names: the names of the option for a file, as CLI11 takes them.
  void add_to(CLI::App& app, const std::string& file_names = "-m,--model");

  // The path of the model; with -hf it is fetched first, unless it was before.
  Result<std::string> find() const;

 private:
  std::string file_, repository_, repository_file_;
  HubOptions hub_;
};

}  // namespace plm::cli
