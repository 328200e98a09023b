// Results go to stdout, talk to stderr.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/error.h"

namespace plm::cli {

// Writes to stdout at once. Fails with io; when nobody reads any more, output_is_closed() says so, and the
// program ends quietly.
Status write_output(std::string_view text);
bool output_is_closed();

// One message to stderr, with a newline. Failures do not matter.
void talk_line(std::string_view text);

template <class... Args>
void talk(fmt::format_string<Args...> format, Args&&... args) {
  talk_line(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace plm::cli
