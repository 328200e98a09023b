#include "train/report/report.h"

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/atomic_file.h"
#include "train/report/chart.h"

namespace plm::train {
namespace {

using Json = nlohmann::ordered_json;

std::string log_path(const ReportOptions& options) { return options.folder + "/trainer_log.jsonl"; }

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::isfinite(seconds) ? seconds : 0);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

// Lines of the log that parse, in order; a half line that a killed process left is not there.
std::vector<Json> read_log(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("current_steps") && json["current_steps"].is_number_integer()) {
      lines.push_back(std::move(json));
    }
  }
  return lines;
}

double mean(const std::vector<double>& values) {
  return values.empty()
             ? 0
             : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Json rounded(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push_back(std::round(value * 1e4) / 1e4);
  return out;
}

}  // namespace

Result<Report> Report::open(ReportOptions options) {
  const std::string path = log_path(options);
  std::string kept;
  for (const Json& line : read_log(path)) {
    if (line["current_steps"].get<int64_t>() <= options.resume_step && options.resume_step > 0)
      kept += line.dump() + "\n";
  }
  PLM_TRY(AtomicFile log, AtomicFile::create(path));
  PLM_TRY_STATUS(log.write(kept));
  PLM_TRY_STATUS(log.commit());
  Report report(std::move(options));
  if (report.options_.tensorboard) {
    PLM_TRY(EventFile events, EventFile::create(report.options_.folder, wall_seconds()));
    report.events_.emplace(std::move(events));
  }
  return report;
}

Status Report::append(const std::string& json_line) const {
  const std::string path = log_path(options_);
  std::FILE* file = std::fopen(path.c_str(), "ab");
  if (file == nullptr) return errno_error(path, "cannot open", errno);
  const std::string line = json_line + "\n";
  const bool whole = std::fwrite(line.data(), 1, line.size(), file) == line.size();
  if (std::fclose(file) != 0 || !whole) return errno_error(path, "cannot write", errno);
  return {};
}

Status Report::scalars(int64_t step, const std::map<std::string, double>& values) {
  if (!events_) return {};
  for (const auto& [tag, value] : values) PLM_TRY_STATUS(events_->scalar(tag, step, value, wall_seconds()));
  return events_->flush();
}

Status Report::train(const TrainLine& line) {
  const double per_step = line.tokens_per_second;
  const double share =
      static_cast<double>(line.step) / static_cast<double>(std::max<int64_t>(1, line.n_steps));
  const double remaining =
      line.step == 0 ? 0
                     : line.seconds * static_cast<double>(line.n_steps - line.step);  // seconds of one step
  const Json json = {{"current_steps", line.step},
                     {"total_steps", line.n_steps},
                     {"loss", line.loss},
                     {"lr", line.learning_rate},
                     {"epoch", line.epoch},
                     {"percentage", std::round(share * 1e4) / 1e2},
                     {"remaining_time", duration(remaining)},
                     {"throughput", std::round(per_step)},
                     {"total_tokens", line.tokens_seen},
                     {"grad_norm", line.gradient_norm},
                     {"phase", line.phase},
                     {"mfu", std::round(line.mfu * 1e4) / 1e4},
                     {"zero_rate", rounded(line.zero_rates)}};
  PLM_TRY_STATUS(append(json.dump()));
  options_.say(fmt::format(
      "step {}/{} {}  loss {:.4f}  lr {:.3g}  norm {:.3g}  {:.0f} tok/s  mfu {:.1f}%  zeros {:.1f}%  eta {}",
      line.step, line.n_steps, line.phase, line.loss, line.learning_rate, line.gradient_norm,
      line.tokens_per_second, 100 * line.mfu, 100 * mean(line.zero_rates), duration(remaining)));
  std::map<std::string, double> values = {{"train/loss", line.loss},
                                          {"train/learning_rate", line.learning_rate},
                                          {"train/grad_norm", line.gradient_norm},
                                          {"train/tokens_per_second", line.tokens_per_second},
                                          {"train/mfu", line.mfu},
                                          {"zero_rate/mean", mean(line.zero_rates)}};
  for (size_t i = 0; i < line.zero_rates.size(); ++i)
    values[fmt::format("zero_rate/layer_{:02}", i)] = line.zero_rates[i];
  return scalars(line.step, values);
}

Status Report::eval(const EvalLine& line) {
  const Json json = {{"current_steps", line.step},
                     {"total_steps", line.n_steps},
                     {"eval_loss", line.loss},
                     {"eval_bits_per_byte", line.bits_per_byte}};
  PLM_TRY_STATUS(append(json.dump()));
  options_.say(fmt::format("step {}/{} validation  loss {:.4f}  bits per byte {:.4f}", line.step,
                           line.n_steps, line.loss, line.bits_per_byte));
  return scalars(line.step, {{"eval/loss", line.loss}, {"eval/bits_per_byte", line.bits_per_byte}});
}

Status Report::sample(int64_t step, const std::string& text) {
  options_.say(fmt::format("step {} sample  {}", step, text));
  const Json json = {{"current_steps", step}, {"sample", text}};
  return append(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Status Report::event(int64_t step, const std::string& what) {
  options_.say(fmt::format("step {}: {}", step, what));
  const Json json = {{"current_steps", step}, {"event", what}};
  return append(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Status Report::plot() const {
  Chart chart{.title = "loss by step",
              .x_name = "step",
              .y_name = "loss",
              .series = {{"training", {}, {}}, {"validation", {}, {}}}};
  for (const Json& line : read_log(log_path(options_))) {
    for (const auto& [field, series] :
         {std::pair{"loss", &chart.series[0]}, std::pair{"eval_loss", &chart.series[1]}}) {
      if (!line.contains(field) || !line[field].is_number()) continue;
      series->x.push_back(line["current_steps"].get<double>());
      series->y.push_back(line[field].get<double>());
    }
  }
  return write_chart(options_.folder + "/training_loss", chart);
}

}  // namespace plm::train
