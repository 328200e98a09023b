#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace plm::cli {

namespace {

volatile std::sig_atomic_t interrupt_count = 0;

void on_interrupt(int signal_number) {
  if (interrupt_count >= 1 && signal_number == SIGINT) ::_exit(128 + signal_number);
  interrupt_count = interrupt_count + 1;
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

bool interrupted() { return interrupt_count != 0; }
void clear_interrupt() { interrupt_count = 0; }
Error interrupted_error() { return Error{ErrorKind::cancelled, "interrupted"}; }

}  // namespace plm::cli
