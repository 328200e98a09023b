#include "server/choices.h"

namespace plm::server {

using scheduler::Answer;
using scheduler::Piece;

Choices::~Choices() {
  for (const auto& answer : answers_) answer->cancel();
}

bool Choices::read(const Show& show, const Idle& idle) {
  using std::chrono::milliseconds;
  std::vector<bool> is_finished(answers_.size());
  size_t n_left = answers_.size();
  while (n_left > 0) {
    bool is_quiet = true;
    size_t first_left = answers_.size();
    for (size_t i = 0; i < answers_.size(); ++i) {
      if (is_finished[i]) continue;
      first_left = std::min(first_left, i);
      Piece piece;
      const auto next = answers_[i]->next(piece, milliseconds(0));
      if (next == Answer::Next::nothing_yet) continue;
      is_quiet = false;
      is_finished[i] = next == Answer::Next::finished;
      n_left -= is_finished[i] ? 1 : 0;
      if (!show(i, std::move(piece), is_finished[i] ? &answers_[i]->outcome() : nullptr)) return false;
    }
    if (!is_quiet) continue;
    if (!idle()) return false;
    // One alone is waited for; of several none for long.
    answers_[first_left]->wait(milliseconds(n_left == 1 ? 200 : 5));
  }
  return true;
}

}  // namespace plm::server
