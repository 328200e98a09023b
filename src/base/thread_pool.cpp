#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>

#include "base/cpu_features.h"

namespace plm {
namespace {

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins this often before giving the CPU away: long enough for the gap between two regions of a
// token, short enough that an idle program costs nothing.
constexpr int kSpinsBeforeSleep = 20000;

// With more threads than CPUs a spinning thread keeps the one it waits for from running.
constexpr int kSpinsBeforeYield = 200;

}  // namespace

ThreadPool::ThreadPool(int n_threads) : n_threads_(std::clamp(n_threads, 1, kMaxThreads)) {
  threads_.reserve(static_cast<size_t>(n_threads_ - 1));
  for (int thread = 1; thread < n_threads_; ++thread) {
    threads_.emplace_back([this, thread] { worker(thread); });
  }
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::worker(int thread) {
  const bool oversubscribed = n_threads_ > available_cpus();
  uint32_t seen = 0;
  for (;;) {
    int spins = 0;
    while (generation_.load(std::memory_order_acquire) == seen) {
      if (++spins < kSpinsBeforeSleep) {
        cpu_relax();
        if (oversubscribed && spins % kSpinsBeforeYield == 0) ::sched_yield();
      } else {
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        generation_.wait(seen, std::memory_order_seq_cst);
        sleepers_.fetch_sub(1, std::memory_order_relaxed);
      }
    }
    ++seen;
    if (stopping_) return;
    work_(context_, thread);
    unfinished_.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::run_erased(ErasedWork work, void* context) {
  next_item_.store(0, std::memory_order_relaxed);
  if (n_threads_ == 1) {
    work(context, 0);
    return;
  }
  work_ = work;
  context_ = context;
  unfinished_.store(n_threads_ - 1, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) generation_.notify_all();
  work(context, 0);
  const bool oversubscribed = n_threads_ > available_cpus();
  for (int spins = 1; unfinished_.load(std::memory_order_acquire) != 0; ++spins) {
    cpu_relax();
    if ((oversubscribed && spins % kSpinsBeforeYield == 0) || spins % kSpinsBeforeSleep == 0) ::sched_yield();
  }
}

void ThreadPool::barrier() {
  if (n_threads_ == 1) return;
  const uint32_t generation = barrier_generation_.load(std::memory_order_acquire);
  if (barrier_arrived_.fetch_add(1, std::memory_order_acq_rel) == n_threads_ - 1) {
    barrier_arrived_.store(0, std::memory_order_relaxed);
    barrier_generation_.fetch_add(1, std::memory_order_release);
    return;
  }
  for (int spins = 1; barrier_generation_.load(std::memory_order_acquire) == generation; ++spins) {
    cpu_relax();
    if (spins % (kSpinsBeforeYield * 10) == 0) ::sched_yield();
  }
}

ThreadPool::Range ThreadPool::share(int thread, int64_t n_items, int64_t grain) const {
  const int64_t n_grains = (n_items + grain - 1) / grain;
  const int64_t begin = n_grains * thread / n_threads_ * grain;
  const int64_t end = n_grains * (thread + 1) / n_threads_ * grain;
  return {std::min(begin, n_items), std::min(end, n_items)};
}

}  // namespace plm
