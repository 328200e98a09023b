// Names that come from a command line or a server and become parts of paths and URLs: checked here, once.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::hub {

struct Source {
  std::string repository;  // "USER/REPO"
  std::string quant;       // "Q4_K_M"; empty when none was named
};

// "USER/REPO" or "USER/REPO:QUANT", as llama.cpp's -hf takes it. Fails with invalid_argument. The rules for
// the parts are huggingface_hub's: letters, digits, '-', '_' and '.', none of "--" and "..".
Result<Source> parse_source(std::string_view text);

// A branch, a tag, "refs/pr/3" or a commit. Fails with invalid_argument.
Status check_revision(std::string_view revision);

// A file of a repository, as the hub lists it: relative, '/' between its parts, nothing that leads out of the
// folder it is put into. Fails with bad_data.
Status check_file_name(std::string_view name);

// 40 lower-case hexadecimal digits.
bool is_commit(std::string_view text);

// Whether all of `text` is lower-case hexadecimal and n_digits long.
bool is_hexadecimal(std::string_view text, size_t n_digits);

// The folder of a repository in the cache: "models--USER--REPO".
std::string repository_folder(std::string_view repository);

}  // namespace plm::hub
