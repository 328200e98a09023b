// The options of all commands that run a model.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/lora_options.h"
#include "cli/model_path.h"
#include "runtime/engine.h"

namespace plm::cli {

class ModelOptions {
 public:
  // Declares -m -hf -hff -hft --offline -c -b -ub -t -tb -ngl -ctk -ctv --lora --lora-scaled. file_names: see
  // ModelSource.
  void add_to(CLI::App& app, const std::string& file_names = "-m,--model");

  // The path of the model, see ModelSource.
  Result<std::string> find() const { return model_.find(); }

  // Finds and loads the model. Says on stderr what could not be had as asked (threads, devices).
  Result<std::unique_ptr<runtime::Engine>> load() const;

  const LoraOptions& lora() const { return lora_; }

  // Tokens to give a session at a time.
  int64_t batch_size() const;

  // For commands whose context is not the model's by default.
  void set_default_context(int64_t n) { default_context_ = n; }

 private:
  ModelSource model_;
  LoraOptions lora_;
  int64_t context_ = 0, default_context_ = 0;
  int64_t batch_ = 2048, micro_batch_ = 1024;
  int n_threads_ = 0, n_threads_batch_ = 0;
  std::string gpu_layers_;
  std::string cache_type_k_, cache_type_v_;
};

}  // namespace plm::cli
