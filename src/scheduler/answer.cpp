#include "scheduler/answer.h"

namespace plm::scheduler {

Answer::Next Answer::next(Piece& piece, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return !pieces_.empty() || finished_; });
  if (!pieces_.empty()) {
    piece = std::move(pieces_.front());
    pieces_.pop_front();
    return Next::piece;
  }
  return finished_ ? Next::finished : Next::nothing_yet;
}

void Answer::wait(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return !pieces_.empty() || finished_; });
}

void Answer::write(Piece piece) {
  {
    const std::lock_guard lock(mutex_);
    pieces_.push_back(std::move(piece));
  }
  changed_.notify_one();
}

void Answer::finish(Outcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    finished_ = true;
  }
  changed_.notify_one();
}

}  // namespace plm::scheduler
