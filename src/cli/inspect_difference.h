// plm inspect --diff: how two files differ, as text and as JSON.
#pragma once

#include <string>

#include "cli/inspect_report.h"
#include "inspect/file_difference.h"

namespace plm::cli {

std::string difference_text(const gguf::File& a, const gguf::File& b,
                            const inspect::FileDifference& difference);
Json difference_json(const gguf::File& a, const gguf::File& b, const inspect::FileDifference& difference);

}  // namespace plm::cli
