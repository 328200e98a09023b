// Makes the command line one that CLI11 understands.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/error.h"

namespace plm::cli {

// arguments: those after the program's name; app: the program with its subcommands and their options
// declared. llama.cpp's one-dash options of several letters (-ngl, -ctk) become their long names, and a value
// that begins with a dash (-p "- a list", -n -1) is joined to its option. Fails with invalid_argument on an
// unknown one-dash word of several letters, which CLI11 would take for a short option and its value.
Result<std::vector<std::string>> translate_arguments(const std::vector<std::string>& arguments,
                                                     CLI::App& app);

}  // namespace plm::cli
