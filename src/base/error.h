// Errors as values. Files, network and user input fail with an Error that says where, what was
// found and what was expected; the library never prints, throws across its interface or exits.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace plm {

enum class ErrorKind {
  invalid_argument,  // the caller asked for something that cannot be (exit code 2 at the command line)
  not_found,         // a file, tensor, key or model that does not exist
  bad_data,          // a file or message that breaks its format
  unsupported,       // well formed, but not something this build can do
  out_of_memory,     // the work does not fit; the message says how much is needed and there
  io,                // the operating system refused or failed
  cancelled,         // the caller asked to stop
};

struct Error {
  ErrorKind kind = ErrorKind::bad_data;
  std::string message;  // one line, no trailing full stop or newline

  // The same error seen from further out: "context: message".
  Error with_context(std::string_view context) const;
};

// make_error(ErrorKind::bad_data, "{}: field version: found {}, expected 2 or 3", path, found)
template <class... Args>
Error make_error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return Error{kind, fmt::format(format, std::forward<Args>(args)...)};
}

// The message of errno for a path: "path: cannot open: No such file or directory".
Error errno_error(std::string_view path, std::string_view what, int errno_value);

// A value or an Error. To ask for the one it is not throws std::bad_variant_access. Not checked for use after
// a move. Results must not be ignored.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace plm

#define PLM_CONCAT_INNER(a, b) a##b
#define PLM_CONCAT(a, b) PLM_CONCAT_INNER(a, b)

// PLM_TRY(auto value, expression): declares `value` from a Result, or returns its error.
#define PLM_TRY(declaration, ...) PLM_TRY_INNER(PLM_CONCAT(plm_try_, __LINE__), declaration, __VA_ARGS__)
#define PLM_TRY_INNER(result, declaration, ...) \
  auto result = (__VA_ARGS__);                  \
  if (!result.ok()) return result.error();      \
  declaration = *std::move(result)

// PLM_TRY_STATUS(expression): returns the error of a Status, if it has one.
#define PLM_TRY_STATUS(...)                                                           \
  do {                                                                                \
    if (auto plm_status = (__VA_ARGS__); !plm_status.ok()) return plm_status.error(); \
  } while (false)

// A broken invariant of our own code: the only thing that may abort. Never for input.
#define PLM_CHECK(condition)                                               \
  do {                                                                     \
    if (!(condition)) ::plm::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

namespace plm {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}
