// What a template may use up. A template comes from a stranger's file: a loop in a loop, a text doubled forty
// times or a macro that calls itself must end in an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::jinja {

struct Limits {
  int64_t steps = 20'000'000;        // evaluated nodes and visited items
  int64_t bytes = int64_t{1} << 28;  // of all texts, lists and dicts made on the way, live or not
  int64_t output_bytes = int64_t{1} << 26;
  int depth = 250;  // nested evaluation: an expression in a block in a macro in ...
};

// Lists in lists in ..., of data and of what a template builds.
inline constexpr int kMaxDataDepth = 100;

// One rendering's account. Not for several threads.
class Budget {
 public:
  explicit Budget(const Limits& limits) : steps_(limits.steps), bytes_(limits.bytes) {}

  Status spend_steps(size_t n) {
    if (static_cast<uint64_t>(steps_) >= n) {
      steps_ -= static_cast<int64_t>(n);
      return {};
    }
    return make_error(ErrorKind::bad_data, "the template takes too many steps");
  }
  Status spend_bytes(size_t n) {
    if (static_cast<uint64_t>(bytes_) >= n) {
      bytes_ -= static_cast<int64_t>(n);
      return {};
    }
    return make_error(ErrorKind::bad_data, "the template makes too much text");
  }
  // Appends and pays for it.
  Status append(std::string& text, std::string_view piece) {
    PLM_TRY_STATUS(spend_bytes(piece.size()));
    text += piece;
    return {};
  }

 private:
  int64_t steps_, bytes_;
};

}  // namespace plm::jinja
