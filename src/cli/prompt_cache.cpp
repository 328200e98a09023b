#include "cli/prompt_cache.h"

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/output.h"
#include "scheduler/prefix_file.h"

namespace plm::cli {

namespace {

constexpr std::chrono::minutes kPatience{10};  // for a step to end

}  // namespace

void PromptCache::add_to(CLI::App& app) {
  app.add_option("--prompt-cache", path_,
                 "keep the rows of earlier prompts in this file from one run to the next")
      ->check(not_empty())
      ->type_name("FILE");
  app.add_flag("--prompt-cache-ro", reads_only_, "read that file, and write nothing");
  app.add_option("--prompt-cache-interval", seconds_, "write it every N seconds too; 0: only at the end")
      ->capture_default_str()
      ->type_name("N")
      ->check(within(int64_t{0}, int64_t{86'400}));
}

Status PromptCache::check(int64_t prefix_bytes) const {
  if (!is_on()) {
    if (!reads_only_ && seconds_ == 0) return {};
    return make_error(ErrorKind::invalid_argument, "--prompt-cache-{}: needs --prompt-cache FILE",
                      reads_only_ ? "ro" : "interval");
  }
  if (!reads_only_ && prefix_bytes == 0) {
    return make_error(ErrorKind::invalid_argument,
                      "--prompt-cache {}: with -cram 0 there are no earlier prompts to keep", path_);
  }
  const Status file = check_file();
  return file.ok() ? file : file.error().with_context("--prompt-cache");
}

Status PromptCache::check_file() const {
  if (reads_only_) {
    PLM_TRY(const MappedFile file, MappedFile::open(path_));
  }
  if (!scheduler::may_become_prefix_file(path_)) {
    return make_error(ErrorKind::bad_data, "{}: expected a file that plm wrote{}", path_,
                      reads_only_ ? "" : ", or none: another would be lost");
  }
  if (!reads_only_) {
    PLM_TRY(const AtomicFile place, AtomicFile::create(path_));  // it is gone again when this returns
  }
  return {};
}

Status PromptCache::load(scheduler::Scheduler& scheduler) {
  if (!is_on()) return {};
  PLM_TRY(shape_, scheduler.slot_shape(kPatience));
  const auto pages = scheduler::read_prefix_file(path_, shape_, scheduler.options().prefix_bytes);
  if (pages.ok()) {
    PLM_TRY_STATUS(scheduler.restore_prefixes(*pages, kPatience));
    const auto snapshot = scheduler.snapshot();
    talk("plm: --prompt-cache: {} MiB of earlier prompts from {}", snapshot.prefix_bytes >> 20, path_);
  } else if (pages.error().kind != ErrorKind::not_found) {
    talk("plm: --prompt-cache: {}; beginning without{}", pages.error().message,
         reads_only_ ? "" : ", and it will be written over");
  }
  saved_version_ = scheduler.snapshot().prefix_version;
  saved_at_ = Clock::now();
  return {};
}

void PromptCache::save(scheduler::Scheduler& scheduler) {
  if (!is_on() || reads_only_) return;
  const int64_t version = scheduler.snapshot().prefix_version;
  if (version == saved_version_) return;
  const auto n_bytes = [&]() -> Result<int64_t> {
    PLM_TRY_STATUS(check_file());  // somebody else may have put theirs there meanwhile
    PLM_TRY(const auto pages, scheduler.copy_prefixes(kPatience));
    return scheduler::write_prefix_file(path_, shape_, pages);
  }();
  if (!n_bytes.ok()) {
    talk("plm: --prompt-cache: {}", n_bytes.error().message);
    return;
  }
  saved_version_ = version;
  talk("plm: --prompt-cache: {} MiB of earlier prompts to {}", *n_bytes >> 20, path_);
}

void PromptCache::save_when_due(scheduler::Scheduler& scheduler) {
  if (!is_on() || seconds_ == 0 || Clock::now() - saved_at_ < std::chrono::seconds(seconds_)) return;
  save(scheduler);
  saved_at_ = Clock::now();
}

}  // namespace plm::cli
