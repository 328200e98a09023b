// torch's wheel has Gloo inside but not its headers. These declare what ProcessGroupGloo.hpp names; only
// pointers to these types cross the border, and everything behind them is defined in libtorch_cpu.so
// (decision 0051).
#pragma once

#include <chrono>

namespace gloo {
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
  std::chrono::milliseconds getTimeout() const;
};
}  // namespace gloo
