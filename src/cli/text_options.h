// The options that `plm prepare` and `plm train-tokenizer` share: what to read and how.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/data/prepare.h"
#include "train/data/text_files.h"

namespace plm::cli {

class TextOptions {
 public:
  void add_to(CLI::App& app);

  train::TextFormat format() const { return format_; }
  train::PrepareOptions::BadDocuments bad_documents() const;
  int n_threads() const { return n_threads_; }

  // The sources in the order given. Paths without a name before them are one source, "text". Fails with
  // invalid_argument when there is none.
  Result<std::vector<train::TextSource>> sources() const;

 private:
  std::vector<std::string> inputs_;
  std::string dataset_, dataset_folder_ = "data";
  train::TextFormat format_;
  int64_t max_samples_ = 0;
  bool skip_bad_ = false;
  int n_threads_ = 1;
};

}  // namespace plm::cli
