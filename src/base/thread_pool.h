// A gang of threads for regions of a few microseconds: decode enters several hundred a token.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace plm {

// The caller is thread 0 of the gang. Between regions the others spin for a short while, then
// sleep on a futex. One caller at a time; run() must not be entered from inside a region.
class ThreadPool {
 public:
  // n_threads is clamped to 1..kMaxThreads.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  static constexpr int kMaxThreads = 512;

  int size() const { return n_threads_; }

  // Calls work(thread_index) once on each of the threads and returns when all are done. What was
  // written before run() is seen by all, what they wrote is seen after it.
  template <class Work>
  void run(Work&& work) {
    using Callable = std::remove_reference_t<Work>;
    run_erased([](void* context, int thread) { (*static_cast<Callable*>(context))(thread); },
               const_cast<std::remove_const_t<Callable>*>(&work));
  }

  // Inside a region: waits until every thread of the gang has come here. All must come.
  void barrier();

  // Inside a region: hands out 0, 1, 2 ... one at a time, for work of uneven size. The counter is
  // reset at the start of every region and by reset_items() (one thread, between two barriers).
  int64_t next_item() { return next_item_.fetch_add(1, std::memory_order_relaxed); }
  void reset_items() { next_item_.store(0, std::memory_order_relaxed); }

  // The part of n items that belongs to a thread, in multiples of `grain` (the last may be less).
  struct Range {
    int64_t begin, end;
  };
  Range share(int thread, int64_t n_items, int64_t grain = 1) const;

 private:
  using ErasedWork = void (*)(void*, int);
  void run_erased(ErasedWork work, void* context);
  void worker(int thread);

  int n_threads_;
  std::vector<std::thread> threads_;

  alignas(64) std::atomic<uint32_t> generation_{0};  // odd and even alike: changes start a region
  std::atomic<int> sleepers_{0};
  ErasedWork work_ = nullptr;
  void* context_ = nullptr;
  bool stopping_ = false;

  alignas(64) std::atomic<int> unfinished_{0};
  alignas(64) std::atomic<int> barrier_arrived_{0};
  alignas(64) std::atomic<uint32_t> barrier_generation_{0};
  alignas(64) std::atomic<int64_t> next_item_{0};
};

}  // namespace plm
