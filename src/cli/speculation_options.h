// The options of speculative decoding, with llama.cpp's names.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/error.h"
#include "runtime/draft_planner.h"
#include "runtime/drafter.h"
#include "runtime/engine.h"

namespace plm::cli {

class SpeculationOptions {
 public:
  // Declares --spec-type -md -td and those of drafts' sizes.
  void add_to(CLI::App& app);

  // Before anything is loaded. Fails with invalid_argument on options that contradict each other.
  Status check() const;

  // Loads what drafts are to come from, for so many sequences; null: there are to be none. Fails as
  // check() and ModelDrafter::create do.
  Result<std::unique_ptr<runtime::Drafter>> make_drafter(const runtime::Engine& target,
                                                         int n_sequences) const;

  const runtime::DraftSettings& settings() const { return settings_; }

 private:
  struct Kinds {
    bool ngrams = false, model = false;
  };
  Result<Kinds> kinds() const;
  Result<std::unique_ptr<runtime::Drafter>> load_model(const runtime::Engine& target, int n_sequences) const;

  std::string types_, model_;
  runtime::DraftSettings settings_;
  runtime::NgramSizes sizes_;
  int n_threads_ = 0;
};

}  // namespace plm::cli
