// Many answers at once from one engine: continuous batching. Requests join and leave at every step.
//
// One thread owns the engine. Each round it runs
//   - the next token of every answer under way, in steps of up to kernels::kFineTokens tokens, so that a busy
//   server
//     rounds no more than an idle one (decision 0085), and then
//   - one step of prompts, shared out among those that wait, of a size that keeps the others' pause short.
// Where guesses at the next tokens of answers come from somewhere (SchedulerOptions::drafter), they take the
// room that is left in a step of answers. What a request gets does not depend on who else is there
// (docs/server.md); its random numbers are its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "runtime/draft_planner.h"
#include "runtime/drafter.h"
#include "runtime/engine.h"
#include "scheduler/activity.h"
#include "scheduler/answer.h"
#include "scheduler/prefix_store.h"
#include "scheduler/sequence.h"
#include "scheduler/slot_rows.h"

namespace plm::scheduler {

struct SchedulerOptions {
  static constexpr int kMostSlots = 256;

  int n_slots = 4;                          // answers under way at once
  int64_t max_waiting = 64;                 // requests without a slot; more are refused
  int64_t prefix_bytes = int64_t{1} << 30;  // of the store of earlier prompts; 0: none
  // How long prompts may keep answers waiting between two tokens, once their speed is known; but a step takes
  // at least a page of tokens.
  std::chrono::milliseconds longest_pause{100};
  // Of as many sequences as there are slots, and the scheduler's alone; null: none.
  std::shared_ptr<runtime::Drafter> drafter = nullptr;
  runtime::DraftSettings drafts = {};
};

// Since the scheduler began.
struct Counters {
  int64_t n_prompt_tokens = 0;  // run, without those reused
  int64_t n_reused_tokens = 0;
  int64_t n_answer_tokens = 0;
  double prompt_seconds = 0, answer_seconds = 0;  // of steps of either kind
  int64_t n_steps = 0;
  int64_t n_busy_slots = 0;  // summed over steps
  int64_t most_tokens = 0;   // of a sequence so far
  int64_t n_finished = 0, n_cancelled = 0;
  runtime::DraftCounts drafts;
};

struct SlotState {
  int id = 0;
  bool is_busy = false;
  int64_t n_tokens = 0, capacity = 0;
};

struct Snapshot {
  Counters counters;
  std::vector<SlotState> slots;
  int64_t n_running = 0, n_waiting = 0;
  int64_t prefix_bytes = 0, n_prefix_pages = 0;
  int64_t prefix_version = 0;      // PrefixStore::version
  model::SparsityCounts activity;  // of the last tokens of answers; see RecentActivity
};

class Scheduler {
 public:
  // The engine is the scheduler's until it is destroyed. Fails with out_of_memory when the slots' caches
  // could not fit, and with invalid_argument on options out of range.
  static Result<std::unique_ptr<Scheduler>> create(runtime::Engine& engine, SchedulerOptions options);

  // Cancels what is under way.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // The functions below may be called from any thread.

  // Null when too many wait or the scheduler drains: later it may be taken. Fails with invalid_argument on a
  // request that can never be served.
  Result<std::shared_ptr<Answer>> submit(Request request);

  // Refuses new requests from now on. drained() waits until all others are answered, at most `patience`, and
  // says whether they are.
  void drain();
  bool is_draining() const;
  bool drained(std::chrono::milliseconds patience);

  // Cancels what is under way or waits.
  void cancel_all();

  // What a slot holds, copied out of it; put into it in place of what it held, and into the store of earlier
  // prompts; forgotten, which returns how many tokens that were. They wait for the answer in the slot to end,
  // before the next begins. Fail with invalid_argument where there is no such slot or the rows do not fit it,
  // with cancelled when it is not free within `patience`, and with out_of_memory.
  Result<SlotRows> copy_slot(int id, std::chrono::milliseconds patience);
  Status fill_slot(int id, const SlotRows& rows, std::chrono::milliseconds patience);
  Result<int64_t> erase_slot(int id, std::chrono::milliseconds patience);

  // The store of earlier prompts, to be kept in a file; and put in place of what it holds. They wait for a
  // step to end, at most `patience`, and fail with cancelled.
  Result<std::vector<PrefixStore::KeptPage>> copy_prefixes(std::chrono::milliseconds patience);
  Status restore_prefixes(std::span<const PrefixStore::KeptPage> pages, std::chrono::milliseconds patience);

  // What files of slots and of earlier prompts must fit. The first call reads the whole model file, in the
  // thread that asks, and runs some tokens between two steps, for whose end it waits at most `patience`; what
  // it finds is kept. Fails with cancelled and with out_of_memory.
  Result<SlotShape> slot_shape(std::chrono::milliseconds patience);

  Snapshot snapshot() const;
  const runtime::Engine& engine() const { return engine_; }
  const SchedulerOptions& options() const { return options_; }

 private:
  Scheduler(runtime::Engine& engine, SchedulerOptions options);
  void run();
  // Something to do between steps, with a slot while nobody uses it, or with none.
  struct SlotTask {
    std::optional<int> slot;
    std::function<Status(Slot&)> work;
    enum class Stage { waiting, taken, done } stage = Stage::waiting;
    Status result = {};
  };
  Status with_slot(int id, std::chrono::milliseconds patience, std::function<Status(Slot&)> work);
  Status between_steps(std::optional<int> slot, std::chrono::milliseconds patience,
                       std::function<Status(Slot&)> work);
  void run_slot_tasks();
  void admit(std::vector<std::unique_ptr<Sequence>>& waiting);
  bool should_wait(const Sequence& sequence) const;
  Slot* choose_slot(const Sequence& sequence);
  void start(Sequence& sequence, Slot& slot);
  void keep_rows(Sequence& sequence);
  void remove_finished();
  int64_t prompt_budget() const;
  struct PlannedTurn {
    Sequence* sequence;
    int64_t n_tokens;
  };
  struct Plan {
    std::vector<PlannedTurn> few, many;
  };
  Plan plan();
  void round();
  void add_drafts(std::span<PlannedTurn> step, int64_t most_tokens);
  void tell_drafter(const Sequence& sequence, bool has_just_read);
  enum class StepKind { answers, prompts };
  double run_step(std::span<PlannedTurn> step, StepKind kind);
  Status decode(std::span<const runtime::Turn> turns);
  void publish();

  runtime::Engine& engine_;
  SchedulerOptions options_;

  // Of the scheduler's thread.
  std::vector<Slot> slots_;
  PrefixStore prefixes_;
  std::vector<std::unique_ptr<Sequence>> running_;
  size_t next_reader_ = 0;  // whose turn it is, of those that read
  uint64_t clock_ = 0;
  double prompt_rate_ = 0;  // tokens a second of the last steps of prompts
  Counters counters_;
  RecentActivity activity_;
  runtime::DraftPlanner planner_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Sequence>> arrived_;
  std::vector<std::shared_ptr<SlotTask>> slot_tasks_;
  int64_t n_unfinished_ = 0;
  int64_t n_waiting_ = 0;
  Snapshot snapshot_;
  bool is_draining_ = false, is_stopping_ = false, cancels_all_ = false;

  std::mutex shape_mutex_;  // guards what follows; taken before mutex_
  std::optional<uint64_t> file_hash_;
  std::optional<SlotShape> shape_;

  std::thread thread_;
};

}  // namespace plm::scheduler
