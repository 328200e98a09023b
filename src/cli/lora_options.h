// The options that name LoRA adapters: llama.cpp's --lora and --lora-scaled.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/lora/adapter.h"

namespace plm::cli {

class LoraOptions {
 public:
  void add_to(CLI::App& app);

  // Files and scales, in their order.
  Result<std::vector<std::pair<std::string, float>>> named() const;

  bool empty() const { return files_.empty() && scaled_words_.empty(); }

  // Reads them all, for the model in the file `model_path`. They are not yet checked against it.
  Result<std::vector<model::ScaledAdapter>> load(const std::string& model_path) const;

 private:
  std::vector<std::string> files_;
  std::vector<std::string> scaled_words_;  // file, number, file, number ..
};

}  // namespace plm::cli
