// What is done with slots between answers, and with the store of earlier prompts between steps.
#include <algorithm>
#include <new>

#include "scheduler/scheduler.h"

namespace plm::scheduler {

Status Scheduler::with_slot(int id, std::chrono::milliseconds patience, std::function<Status(Slot&)> work) {
  if (id < 0 || id >= options_.n_slots) {
    return make_error(ErrorKind::invalid_argument, "slot: found {}, expected 0 to {}", id,
                      options_.n_slots - 1);
  }
  Status status = between_steps(id, patience, std::move(work));
  if (status.ok() || status.error().kind != ErrorKind::cancelled) return status;
  return make_error(ErrorKind::cancelled, "slot {}: it is not free", id);
}

Status Scheduler::between_steps(std::optional<int> slot, std::chrono::milliseconds patience,
                                std::function<Status(Slot&)> work) {
  auto task = std::make_shared<SlotTask>();
  task->slot = slot;
  task->work = std::move(work);
  std::unique_lock lock(mutex_);
  slot_tasks_.push_back(task);
  changed_.notify_all();
  const auto is_done = [&] { return task->stage == SlotTask::Stage::done || is_stopping_; };
  changed_.wait_for(lock, patience, is_done);
  // Work that has begun uses what the caller holds.
  if (task->stage == SlotTask::Stage::taken) {
    changed_.wait(lock, [&] { return task->stage == SlotTask::Stage::done; });
  }
  if (task->stage == SlotTask::Stage::done) return task->result;
  std::erase(slot_tasks_, task);
  return make_error(ErrorKind::cancelled, "the scheduler is busy, or ends");
}

void Scheduler::run_slot_tasks() {
  std::vector<std::shared_ptr<SlotTask>> ready;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& task : slot_tasks_) {
      if (task->slot && slots_[static_cast<size_t>(*task->slot)].is_busy) continue;
      task->stage = SlotTask::Stage::taken;
      ready.push_back(task);
    }
    std::erase_if(slot_tasks_, [](const auto& task) { return task->stage == SlotTask::Stage::taken; });
  }
  if (ready.empty()) return;
  for (const auto& task : ready) {
    try {
      task->result = task->work(slots_[static_cast<size_t>(task->slot.value_or(0))]);
    } catch (const std::bad_alloc&) {
      task->result = make_error(ErrorKind::out_of_memory, "no memory for the rows of a slot or of prompts");
    }
  }
  publish();  // who is told that it is done may look
  {
    const std::lock_guard lock(mutex_);
    for (const auto& task : ready) task->stage = SlotTask::Stage::done;
  }
  changed_.notify_all();
}

Result<SlotRows> Scheduler::copy_slot(int id, std::chrono::milliseconds patience) {
  SlotRows copy;
  PLM_TRY_STATUS(with_slot(id, patience, [&copy](Slot& slot) -> Status {
    const model::Cache& cache = slot.session.cache();
    const auto n_tokens = std::ssize(slot.tokens);
    copy.tokens = slot.tokens;
    copy.n_exact = slot.n_exact;
    copy.rows.resize(static_cast<size_t>(n_tokens * cache.bytes_per_token()));
    std::byte* to = copy.rows.data();
    for (int64_t stream = 0; stream < cache.layout().n_streams; ++stream) {
      std::copy_n(cache.row(stream, 0), n_tokens * cache.row_bytes(), to);
      to += n_tokens * cache.row_bytes();
    }
    return {};
  }));
  return copy;
}

Status Scheduler::fill_slot(int id, const SlotRows& rows, std::chrono::milliseconds patience) {
  return with_slot(id, patience, [this, &rows](Slot& slot) -> Status {
    model::Cache& cache = slot.session.cache();
    const auto n_tokens = std::ssize(rows.tokens);
    if (n_tokens > cache.capacity() || std::ssize(rows.rows) != n_tokens * cache.bytes_per_token()) {
      return make_error(ErrorKind::invalid_argument,
                        "slot {}: found {} bytes for {} tokens, expected {} a token and at most {} tokens",
                        slot.id, rows.rows.size(), n_tokens, cache.bytes_per_token(), cache.capacity());
    }
    slot.tokens = rows.tokens;  // before anything is changed: it may find no memory
    slot.session.truncate(0);
    const std::byte* from = rows.rows.data();
    for (int64_t stream = 0; stream < cache.layout().n_streams; ++stream) {
      std::copy_n(from, n_tokens * cache.row_bytes(), cache.row(stream, 0));
      from += n_tokens * cache.row_bytes();
    }
    cache.advance(n_tokens);
    slot.n_exact = rows.n_exact;
    slot.last_used = ++clock_;
    if (options_.prefix_bytes > 0) prefixes_.insert(slot.tokens, slot.n_exact, cache);
    return {};
  });
}

Result<int64_t> Scheduler::erase_slot(int id, std::chrono::milliseconds patience) {
  int64_t n_tokens = 0;
  PLM_TRY_STATUS(with_slot(id, patience, [&n_tokens](Slot& slot) -> Status {
    n_tokens = std::ssize(slot.tokens);
    slot.session.truncate(0);
    slot.tokens.clear();
    slot.n_exact = 0;
    return {};
  }));
  return n_tokens;
}

Result<SlotShape> Scheduler::slot_shape(std::chrono::milliseconds patience) {
  const std::lock_guard lock(shape_mutex_);
  if (shape_) return *shape_;
  if (!file_hash_) file_hash_ = hash_of(engine_.file());
  PLM_TRY_STATUS(between_steps({}, patience, [this](Slot&) -> Status {
    PLM_TRY(shape_, scheduler::slot_shape(engine_, *file_hash_));
    return {};
  }));
  return *shape_;
}

Result<std::vector<PrefixStore::KeptPage>> Scheduler::copy_prefixes(std::chrono::milliseconds patience) {
  std::vector<PrefixStore::KeptPage> pages;
  PLM_TRY_STATUS(between_steps({}, patience, [&](Slot&) -> Status {
    pages = prefixes_.pages();
    return {};
  }));
  return pages;
}

Status Scheduler::restore_prefixes(std::span<const PrefixStore::KeptPage> pages,
                                   std::chrono::milliseconds patience) {
  return between_steps({}, patience, [&](Slot&) -> Status {
    prefixes_.restore(pages);
    return {};
  });
}

}  // namespace plm::scheduler
