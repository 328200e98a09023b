// What a run tells while it goes on: lines on the terminal, trainer_log.jsonl in LLaMA-Factory's form,
// TensorBoard events, sample texts, and the picture of the loss.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/report/event_file.h"

namespace plm::train {

struct TrainLine {
  int64_t step = 0;  // updates done
  int64_t n_steps = 0;
  double epoch = 0;
  double loss = 0;  // mean over the labels since the last line
  double learning_rate = 0;
  double gradient_norm = 0;
  int64_t tokens_seen = 0;
  std::string phase;
  std::vector<double> zero_rates;  // by layer; of this step
  // Of this process since the last line.
  double seconds = 0;
  double tokens_per_second = 0;
  double mfu = 0;
};

struct EvalLine {
  int64_t step = 0;
  int64_t n_steps = 0;
  double loss = 0;
  double bits_per_byte = 0;
};

struct ReportOptions {
  std::string folder;  // must exist
  bool tensorboard = true;
  int64_t resume_step = 0;  // lines of later steps are taken out of the log: they will be written again
  std::function<void(const std::string&)> say;  // a line for the person who watches
};

class Report {
 public:
  static Result<Report> open(ReportOptions options);

  Status train(const TrainLine& line);
  Status eval(const EvalLine& line);
  Status sample(int64_t step, const std::string& text);
  // Something the user should know: skipped steps, rolled-back runs, full disks.
  Status event(int64_t step, const std::string& what);
  // training_loss.png and .svg from the whole log, the lines of earlier starts included.
  Status plot() const;

 private:
  explicit Report(ReportOptions options) : options_(std::move(options)) {}
  Status append(const std::string& json_line) const;
  Status scalars(int64_t step, const std::map<std::string, double>& values);

  ReportOptions options_;
  std::optional<EventFile> events_;
};

}  // namespace plm::train
