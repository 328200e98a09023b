// How far the reading of training text is: a line that is written over on a terminal, one now and then
// elsewhere.
#pragma once

#include <chrono>
#include <string>

#include "train/data/prepare.h"

namespace plm::cli {

class TextProgress {
 public:
  ~TextProgress() { end(); }

  // Shows it unless it was shown a moment ago. False when the user pressed Ctrl-C.
  bool show(const train::PrepareProgress& progress);
  // Before something else is written.
  void end();

  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point began_ = Clock::now(), shown_ = began_;
  bool is_open_ = false;
};

// "1.23 GB"
std::string bytes_text(double bytes);

}  // namespace plm::cli
