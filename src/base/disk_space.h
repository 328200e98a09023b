// Whether a file will fit, said before the work that makes it.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace plm {

// Fails with io when the disk that `path` is to lie on has fewer free bytes. Ok where the system does not
// tell.
Status check_free_space(const std::string& path, uint64_t bytes);

}  // namespace plm
