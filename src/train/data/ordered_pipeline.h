// One thread makes parts, several work on them, and the caller takes the results in the order of making: the
// outcome does not depend on the number of threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"

namespace plm::train {

// make: the next part, nothing after the last one; called from one thread. work: called from n_workers
// threads. take: called from the calling thread, in order. At most 4 * n_workers parts exist at a time. The
// first error in the order of parts ends everything and is returned.
template <class Part, class Done>
class OrderedPipeline {
 public:
  using Make = std::function<Result<std::optional<Part>>()>;
  using Work = std::function<Result<Done>(Part)>;
  using Take = std::function<Status(Done)>;

  static Status run(int n_workers, Make make, Work work, const Take& take) {
    OrderedPipeline pipeline(n_workers, std::move(make), std::move(work));
    return pipeline.take_all(take);
  }

 private:
  struct Slot {
    std::optional<Part> part;
    std::optional<Result<Done>> done;
  };

  OrderedPipeline(int n_workers, Make make, Work work)
      : make_(std::move(make)), work_(std::move(work)), most_slots_(4 * static_cast<size_t>(n_workers)) {
    threads_.emplace_back([this] { make_all(); });
    for (int i = 0; i < n_workers; ++i) threads_.emplace_back([this] { work_on_parts(); });
  }
  ~OrderedPipeline() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  template <class T, class Function>
  static Result<T> without_exceptions(Function&& function) {
    try {
      return function();
    } catch (const std::bad_alloc&) {
      return make_error(ErrorKind::out_of_memory, "no memory left for a part of the text");
    }
  }

  void make_all() {
    for (;;) {
      auto part = without_exceptions<std::optional<Part>>(make_);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || slots_.size() < most_slots_; });
      if (is_stopping_) return;
      const bool is_last = !part.ok() || !part->has_value();
      if (!part.ok()) {
        slots_.push_back(std::make_shared<Slot>(Slot{{}, Result<Done>(part.error())}));
      } else if (!is_last) {
        slots_.push_back(std::make_shared<Slot>(Slot{std::move(*part), {}}));
        waiting_.push_back(slots_.back());
      }
      is_complete_ = is_last;
      lock.unlock();
      changed_.notify_all();
      if (is_last) return;
    }
  }

  void work_on_parts() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || is_complete_ || !waiting_.empty(); });
      if (is_stopping_ || waiting_.empty()) return;
      const std::shared_ptr<Slot> slot = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      auto done = without_exceptions<Done>([&] { return work_(std::move(*slot->part)); });
      lock.lock();
      slot->part.reset();
      slot->done.emplace(std::move(done));
      lock.unlock();
      changed_.notify_all();
    }
  }

  Status take_all(const Take& take) {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock,
                    [this] { return slots_.empty() ? is_complete_ : slots_.front()->done.has_value(); });
      if (slots_.empty()) return {};
      const std::shared_ptr<Slot> slot = std::move(slots_.front());
      slots_.pop_front();
      lock.unlock();
      changed_.notify_all();
      if (!slot->done->ok()) return slot->done->error();
      PLM_TRY_STATUS(take(*std::move(*slot->done)));
    }
  }

  Make make_;
  Work work_;
  const size_t most_slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Slot>> slots_;    // in order, from the one that is taken next
  std::deque<std::shared_ptr<Slot>> waiting_;  // those nobody works on yet
  bool is_complete_ = false, is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace plm::train
