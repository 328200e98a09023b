// From the files a run names to rows of tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "tokenizer/tokenizer.h"
#include "train/data/batch_source.h"
#include "train/setup/model_config.h"
#include "train/setup/schedule.h"
#include "train/setup/settings.h"

namespace plm::train {

struct TrainingData {
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  std::shared_ptr<const BatchSource> train_rows;
  std::shared_ptr<const BatchSource> eval_rows;  // null: none asked for
  int64_t eval_text_bytes = 0;
};

// Tokenises what is not yet tokenised, which may take long; `say` hears of it. A source of data_phases is
// named like its file or folder. The schedule gives phases their steps; rows_per_step turns steps into rows.
struct DataRequest {
  const Settings& settings;
  const ModelConfig& config;
  int64_t rows_per_step = 0;
  int n_threads = 1;
  std::function<void(const std::string&)> say;
  std::function<bool()> should_stop;
};
Result<TrainingData> open_training_data(const DataRequest& request);

// How many steps the run has: max_steps, or num_train_epochs of the data.
int64_t count_steps(const Settings& settings, const BatchSource& train_rows, int64_t rows_per_step);

}  // namespace plm::train
