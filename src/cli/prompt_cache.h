// plm serve --prompt-cache: the store of earlier prompts in a file, from one run of the server to the next.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>

#include "scheduler/scheduler.h"

namespace plm::cli {

class PromptCache {
 public:
  void add_to(CLI::App& app);
  bool is_on() const { return !path_.empty(); }

  // Before anything is loaded; prefix_bytes: see SchedulerOptions. Fails with invalid_argument on options
  // that contradict each other, and where the store cannot be kept in such a file: one that is something else
  // is never written over.
  Status check(int64_t prefix_bytes) const;

  // After check(). Fills the store of a scheduler that has answered nothing yet. A file that is damaged or
  // belongs to others is told of and passed over.
  Status load(scheduler::Scheduler& scheduler);

  // Writes the store where it differs from what was written last; save_when_due() only when the time between
  // two writings has passed. What goes wrong is told of; the file stays as it was.
  void save(scheduler::Scheduler& scheduler);
  void save_when_due(scheduler::Scheduler& scheduler);

 private:
  using Clock = std::chrono::steady_clock;

  Status check_file() const;

  std::string path_;
  bool reads_only_ = false;
  int64_t seconds_ = 0;
  scheduler::SlotShape shape_;
  int64_t saved_version_ = 0;
  Clock::time_point saved_at_;
};

}  // namespace plm::cli
