// Ctrl-C: work in small steps asks whether it was pressed, and ends in good order.
#pragma once

#include <atomic>

#include "base/error.h"

namespace plm::cli {

// From now on SIGINT and SIGTERM set a flag. The third before the flag is cleared ends the program the hard
// way, in case nobody looks at it. SIGPIPE becomes an error of writing.
void watch_interrupts();

bool interrupted();
void clear_interrupt();

// The flag itself, for Session::decode.
const std::atomic<bool>* interrupt_flag();

// The error of work that was interrupted; the program says nothing more and exits as shells expect (128 + 2).
Error interrupted_error();

}  // namespace plm::cli
