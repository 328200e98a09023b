// The two ends of one answer: the scheduler writes pieces, whoever asked reads them. Safe for one thread at
// each end, and for cancel() from any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "scheduler/request.h"

namespace plm::scheduler {

class Answer {
 public:
  enum class Next { piece, finished, nothing_yet };

  // Waits up to `patience` for a piece. What was written before the end is read before `finished`.
  Next next(Piece& piece, std::chrono::milliseconds patience);

  // Waits until next() has something to say, at most `patience`.
  void wait(std::chrono::milliseconds patience);

  // After next() said finished.
  const Outcome& outcome() const { return outcome_; }

  // Nobody reads any more: the work stops at the next step, and the slot is free.
  void cancel() { cancelled_ = true; }
  bool is_cancelled() const { return cancelled_; }

  // The scheduler's end.
  void write(Piece piece);
  void finish(Outcome outcome);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Piece> pieces_;
  bool finished_ = false;
  Outcome outcome_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace plm::scheduler
