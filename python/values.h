// Values of plm.h as the Python package takes and gives them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <unistd.h>

#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "plm/plm.h"

namespace plm::python {

namespace nb = nanobind;

// An Error on its way to Python, where it becomes an exception of plm.errors.
struct Raised : std::exception {
  explicit Raised(Error raised) : error(std::move(raised)) {}
  const char* what() const noexcept override { return error.message.c_str(); }
  Error error;
};
void register_errors();

template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) throw Raised(result.error());
  return *std::move(result);
}

// A text as bytes, or token ids; alive as long as a call.
using PromptValue = std::variant<nb::bytes, std::vector<TokenId>>;
Prompt prompt_of(const PromptValue& value);

inline std::string_view view(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

// Text of a model, which need not be UTF-8: what is not becomes U+FFFD.
nb::str text_of(std::string_view bytes);
nb::bytes bytes_of(std::string_view bytes);
// (id, log-probability or None, [(id, log-probability), ...])
nb::list scores_of(const std::vector<TokenScore>& tokens);
// [(name, arguments), ...]
nb::list calls_of(const std::vector<ToolCall>& calls);

// Work without the lock of the interpreter, which is stopped by Ctrl-C. work(KeepGoing).
template <class Work>
auto interruptible(Work&& work) {
  bool interrupted = false;
  const auto keep_going = [&interrupted] {
    const nb::gil_scoped_acquire lock;
    interrupted = interrupted || PyErr_CheckSignals() != 0;
    return !interrupted;
  };
  auto result = [&] {
    const nb::gil_scoped_release unlocked;
    return std::forward<Work>(work)(KeepGoing(keep_going));
  }();
  if (interrupted) throw nb::python_error();
  return result;
}

// What is over threads must not end in a child of fork(), where they are not: there it stays behind.
template <class T>
class OfThisProcess {
 public:
  explicit OfThisProcess(T value) : value_(std::move(value)), owner_(getpid()) {}
  OfThisProcess(OfThisProcess&&) = delete;
  ~OfThisProcess() {
    if (getpid() == owner_) value_.~T();
  }
  // What of it needs no threads.
  const T& peek() const { return value_; }
  T& get() {
    if (getpid() == owner_) return value_;
    throw Raised(make_error(ErrorKind::unsupported,
                            "the model was loaded before this process was forked: load it here again"));
  }

 private:
  union {  // so that nothing ends it but the destructor above
    T value_;
  };
  pid_t owner_;
};

}  // namespace plm::python
