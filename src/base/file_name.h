// What can be the name of a file.
#pragma once

#include <string_view>

#include "base/error.h"

namespace plm {

// Fails with invalid_argument on an empty name, and on one with a NUL, where the system would cut it off and
// open another.
Status check_file_name(std::string_view path);

}  // namespace plm
