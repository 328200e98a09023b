// The training loop: rows in, updates out, with everything needed to stop at any moment and go on as if
// nothing had happened.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/core/adamw.h"
#include "train/core/checkpoint.h"
#include "train/core/model.h"
#include "train/core/workers.h"
#include "train/data/batch_source.h"
#include "train/report/report.h"
#include "train/setup/schedule.h"
#include "train/setup/settings.h"

namespace plm::train {

struct TrainerParts {
  const Settings& settings;
  const ModelConfig& config;
  Schedule schedule;
  Workers& workers;
  at::Device device = at::kCPU;
  std::shared_ptr<const BatchSource> train_rows;
  std::shared_ptr<const BatchSource> eval_rows;  // null: no validation
  int64_t eval_text_bytes = 0;                   // of the text behind eval_rows
  Report* report = nullptr;                      // null on workers other than the first
  // Text that the model of this moment writes; empty: none.
  std::function<std::string(Model&)> sample;
  // True: save and stop after this step.
  std::function<bool()> should_stop;
};

struct TrainerResult {
  int64_t step = 0;
  bool finished = false;  // false: stopped by should_stop
};

class Trainer {
 public:
  static Result<std::unique_ptr<Trainer>> create(TrainerParts parts);

  // From a checkpoint; refuses one of other data.
  Status resume(const std::string& folder);
  // Draws or reads the weights of a new run.
  Status begin();

  Result<TrainerResult> run();

  Model& model() { return *model_; }
  const TrainerState& state() const { return state_; }

 private:
  struct StepNumbers {
    double loss = 0;  // mean over all labels of all workers
    double gradient_norm = 0;
    std::vector<double> zero_rates;
  };
  using StepRows = Result<std::vector<Batch>>;

  explicit Trainer(TrainerParts parts);
  int64_t rows_per_step() const;
  StepRows read_rows(int64_t first_row) const;
  Result<std::vector<Batch>> next_rows();
  ModelInput to_input(const Batch& batch) const;

  Result<StepNumbers> compute_gradients(const std::vector<Batch>& batches);
  // False when the step was left out: loss or gradient that are no numbers, or a spike.
  bool update(const StepNumbers& numbers);
  Status after_step(const StepNumbers& numbers, bool updated);
  Status log(const StepNumbers& numbers);
  Status evaluate();
  Status save();
  Status go_back(const std::string& reason);
  Status say(const std::string& what);

  TrainerParts parts_;
  WorkerShare share_;
  std::unique_ptr<Model> model_;
  std::vector<Span> owned_;
  std::unique_ptr<AdamW> optimizer_;
  std::unique_ptr<CheckpointWriter> writer_;
  TrainerState state_;
  std::future<StepRows> ahead_;  // the rows of the next step
  int64_t ahead_row_ = -1;
  double clock_ = 0;  // when the last log line was written
  double peak_flops_ = 0;
  int64_t times_gone_back_ = 0;
};

}  // namespace plm::train
