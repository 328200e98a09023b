// The program `plm-train`: reads the configuration, joins the workers, trains, exports.
#include <ATen/Parallel.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "train/core/device.h"
#include "train/core/trainer.h"
#include "train/program/export.h"
#include "train/program/sample_text.h"
#include "train/program/training_data.h"
#include "train/report/chart.h"

namespace plm::train {
namespace {

namespace fs = std::filesystem;

std::atomic<int> stop_signals{0};

// The first signal asks for an orderly end, after the step; the third ends at once.
void on_signal(int signal) {
  if (++stop_signals < 3) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

bool stop_asked() { return stop_signals.load() > 0; }

void talk(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
  std::fflush(stderr);
}

// Activations of megabytes are made and dropped in every step. Without this glibc gives each back to the
// system and asks for fresh pages, a fifth of the time of a small model.
void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 256 << 20);
}

struct CommandLine {
  std::string config;
  std::vector<std::string> overrides;
  std::string plot_schedule;
};

Status plot_schedule(const Schedule& schedule, const std::string& path) {
  Chart chart{.title = std::string(schedule_type_name(schedule.options().type)),
              .x_name = "step",
              .y_name = "learning rate",
              .series = {{"rate", {}, {}}}};
  const int64_t n_steps = schedule.options().n_steps;
  const int64_t stride = std::max<int64_t>(1, n_steps / 2000);
  for (int64_t step = 0; step < n_steps; step += stride) {
    chart.series[0].x.push_back(static_cast<double>(step));
    chart.series[0].y.push_back(schedule.rate(step));
  }
  PLM_TRY_STATUS(write_chart(path, chart));
  talk(fmt::format("plm-train: schedule drawn in {0}.png and {0}.svg", path));
  return {};
}

// Which checkpoint to go on from; empty: from the start. Refuses a folder with checkpoints that nobody asked
// to use.
Result<std::string> find_start(const Settings& settings) {
  const auto say = [](const std::string& line) { talk("plm-train: " + line); };
  if (!settings.resume_from_checkpoint.empty() && settings.resume_from_checkpoint != "auto" &&
      settings.resume_from_checkpoint != "true" && settings.resume_from_checkpoint != "false") {
    return settings.resume_from_checkpoint;
  }
  const std::vector<std::string> found = find_checkpoints(settings.output_dir, say);
  if (found.empty() || settings.overwrite_output_dir) return std::string();
  if (settings.resume_from_checkpoint == "auto" || settings.resume_from_checkpoint == "true")
    return found.front();
  return make_error(
      ErrorKind::invalid_argument,
      "{}: there is a checkpoint already; set resume_from_checkpoint: auto or overwrite_output_dir: true",
      found.front());
}

// With start_decay the stable phase ends where the checkpoint stands.
Result<Schedule> make_schedule(const Settings& settings, int64_t n_steps, int64_t tokens_per_step,
                               int64_t resumed_step) {
  PLM_TRY(ScheduleOptions options, schedule_options(settings, n_steps, tokens_per_step));
  if (settings.start_decay) {
    if (resumed_step < options.warmup) {
      return make_error(ErrorKind::invalid_argument,
                        "start_decay: found a checkpoint of step {}, expected one after the warm-up",
                        resumed_step);
    }
    options.stable = resumed_step - options.warmup;
  }
  return Schedule::create(options);
}

int64_t step_of_folder(const std::string& folder) {
  const size_t dash = folder.find_last_of('-');
  return dash == std::string::npos ? 0 : std::atoll(folder.c_str() + dash + 1);
}

struct Session {
  Settings settings;
  ModelConfig config;
  at::Device device = at::kCPU;
  std::unique_ptr<Workers> workers;
  TrainingData data;
  std::optional<Report> report;
};

Status train(Session& session, Schedule schedule, const std::string& start) {
  const Settings& settings = session.settings;
  TrainerParts parts{.settings = settings,
                     .config = session.config,
                     .schedule = std::move(schedule),
                     .workers = *session.workers,
                     .device = session.device,
                     .train_rows = session.data.train_rows,
                     .eval_rows = session.data.eval_rows,
                     .eval_text_bytes = session.data.eval_text_bytes,
                     .report = session.report ? &*session.report : nullptr,
                     .sample = {},
                     .should_stop = stop_asked};
  if (settings.sample_steps > 0) {
    parts.sample = [&](Model& model) {
      return sample_text(model, *session.data.tokenizer,
                         {.prompt = settings.sample_prompt, .n_tokens = settings.sample_tokens});
    };
  }
  PLM_TRY(const auto trainer, Trainer::create(std::move(parts)));
  if (start.empty()) {
    PLM_TRY_STATUS(trainer->begin());
  } else {
    PLM_TRY_STATUS(trainer->resume(start));
    if (session.report) talk(fmt::format("plm-train: going on from {}", start));
  }
  PLM_TRY(const TrainerResult result, trainer->run());
  if (!session.report) return {};
  if (settings.plot_loss) PLM_TRY_STATUS(session.report->plot());
  if (!result.finished) {
    talk(fmt::format("plm-train: stopped after step {}; the same command goes on from there", result.step));
    return {};
  }
  if (!settings.export_formats.empty()) {
    PLM_TRY_STATUS(export_model(settings, trainer->model()));
    talk(fmt::format("plm-train: the model is in {}", (fs::path(settings.output_dir) / "model").string()));
  }
  return {};
}

Status write_settings(const Settings& settings) {
  PLM_TRY(AtomicFile file, AtomicFile::create(settings.output_dir + "/settings.yaml"));
  PLM_TRY_STATUS(file.write(to_yaml(settings)));
  return file.commit();
}

Status run(const CommandLine& command) {
  Session session;
  PLM_TRY(session.settings, read_settings(command.config, command.overrides));
  Settings& settings = session.settings;
  PLM_TRY(const WorkerPlace place, worker_place());
  const bool first = place.rank == 0;
  const auto say = [first](const std::string& line) {
    if (first) talk("plm-train: " + line);
  };
  for (const std::string& note : settings.notes) say(note);
  PLM_TRY(session.device, choose_device(settings.device, place));
  PLM_TRY(session.config, read_model_config(settings.model_name_or_path));
  const int64_t rows_per_step =
      place.count * settings.per_device_train_batch_size * settings.gradient_accumulation_steps;
  const int64_t tokens_per_step = rows_per_step * settings.cutoff_len;
  if (!command.plot_schedule.empty() && settings.max_steps > 0) {
    PLM_TRY(const Schedule schedule, make_schedule(settings, settings.max_steps, tokens_per_step,
                                                   step_of_folder(settings.resume_from_checkpoint)));
    return plot_schedule(schedule, command.plot_schedule);
  }

  const int all_threads = static_cast<int>(std::thread::hardware_concurrency());
  const int threads = settings.threads > 0 ? static_cast<int>(settings.threads)
                                           : std::max(1, all_threads / static_cast<int>(place.local_count));
  at::set_num_threads(threads);
  std::error_code error;
  fs::create_directories(settings.output_dir, error);
  if (error) return make_error(ErrorKind::io, "{}: cannot create: {}", settings.output_dir, error.message());
  PLM_TRY(session.workers, join_workers(session.device));

  const DataRequest request{.settings = settings,
                            .config = session.config,
                            .rows_per_step = rows_per_step,
                            .n_threads = threads,
                            .say = say,
                            .should_stop = stop_asked};
  // The first worker tokenises, the others find it done.
  if (!first) session.workers->wait_for_all();
  PLM_TRY(session.data, open_training_data(request));
  if (first) session.workers->wait_for_all();

  PLM_TRY(const std::string start, find_start(settings));
  const int64_t n_steps = count_steps(settings, *session.data.train_rows, rows_per_step);
  PLM_TRY(Schedule schedule, make_schedule(settings, n_steps, tokens_per_step, step_of_folder(start)));
  if (!command.plot_schedule.empty()) return plot_schedule(schedule, command.plot_schedule);
  if (first) {
    PLM_TRY_STATUS(write_settings(settings));
    PLM_TRY(session.report, Report::open({.folder = settings.output_dir,
                                          .tensorboard = settings.report_to != "none",
                                          .resume_step = step_of_folder(start),
                                          .say = talk}));
    say(fmt::format(
        "{} parameters, {} workers on {}, {} threads each, {} steps of {} tokens, {} rows of data",
        session.config.n_parameters(), place.count, session.device.str(), threads, n_steps, tokens_per_step,
        session.data.train_rows->rows_in_epoch()));
    say(fmt::format("attention: {}",
                    attention_backend(session.config, session.device,
                                      settings.bf16 ? at::kBFloat16 : at::kFloat, settings.cutoff_len)));
  }
  return train(session, std::move(schedule), start);
}

int main_guarded(int argc, char** argv) {
  CommandLine command;
  bool list_keys = false;
  CLI::App app{"plm-train: trains PLM language models.", "plm-train"};
  app.add_option("config", command.config, "configuration in YAML, with LLaMA-Factory's names");
  app.add_option("overrides", command.overrides, "KEY=VALUE, also lr_scheduler_kwargs.min_lr_ratio=0.1");
  app.add_option("--plot-schedule", command.plot_schedule,
                 "draw the learning rates to PATH.png and PATH.svg, and end");
  app.add_flag("--list-keys", list_keys, "every key of the configuration, its default and meaning");
  app.footer(
      "Examples:\n"
      "  plm-train pretrain.yaml\n"
      "  plm-train pretrain.yaml max_steps=1000 learning_rate=1e-3\n"
      "  plm-train pretrain.yaml --plot-schedule schedule\n"
      "  torchrun --no-python --standalone --nproc-per-node 2 plm-train pretrain.yaml\n\n"
      "Ctrl-C or SIGTERM saves a checkpoint after the step and ends; with resume_from_checkpoint: auto the "
      "same\n"
      "command goes on from there, as if nothing had happened.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (list_keys) {
    std::fputs(describe_keys().c_str(), stdout);
    return 0;
  }
  if (command.config.empty()) {
    talk("plm-train: no configuration; see plm-train --help");
    return 2;
  }
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  // A terminal that is gone must not end a run, and a worker that died must be reported, not felt:
  // Gloo writes to its socket without MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
  const Status status = run(command);
  if (status.ok()) return 0;
  talk("plm-train: " + status.error().message);
  return status.error().kind == ErrorKind::invalid_argument ? 2 : 1;
}

}  // namespace
}  // namespace plm::train

int main(int argc, char** argv) {
  plm::train::keep_freed_memory();
  try {
    return plm::train::main_guarded(argc, argv);
  } catch (const std::exception& error) {  // torch reports by exceptions: memory, other workers that died
    const std::string text = error.what();
    plm::train::talk("plm-train: " + text.substr(0, text.find('\n')));
    return 1;
  }
}
