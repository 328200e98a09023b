#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace plm::cli {

namespace {

std::atomic<bool> was_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

// Interrupts since the flag was cleared. Two in a row may be one impatient person; three are meant.
constexpr int kPatience = 3;
std::atomic<int> n_interrupts{0};

void on_interrupt(int signal_number) {
  was_interrupted = true;
  if (++n_interrupts >= kPatience) ::_exit(128 + signal_number);
}

}  // namespace

void watch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;  // without SA_RESTART: waiting for input ends too
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool interrupted() { return was_interrupted; }
void clear_interrupt() {
  was_interrupted = false;
  n_interrupts = 0;
}
const std::atomic<bool>* interrupt_flag() { return &was_interrupted; }
Error interrupted_error() { return Error{ErrorKind::cancelled, "interrupted"}; }

}  // namespace plm::cli
