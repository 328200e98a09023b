// Wall-clock time, for measuring.
#pragma once

#include <chrono>

namespace plm {

// Since some moment in the past, of a clock that only runs forward.
inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace plm
