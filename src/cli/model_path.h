// Which model is meant when none is named.
#pragma once

#include <string>

#include "base/error.h"

namespace plm::cli {

// `given`, unless empty; else $PLM_MODEL; else the bundled model, beside the installed program
// (../share/plm/models) or in the source tree it was built in (../../models). Fails with not_found, saying
// where it looked.
Result<std::string> find_model(const std::string& given);

}  // namespace plm::cli
