// Which files of a repository are meant: llama.cpp's rules for `-hf USER/REPO:QUANT`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plm::hub {

struct Wish {
  std::string quant = {};               // of a GGUF model; empty: Q4_K_M, else Q4_0, else the first model
  std::string file = {};                // this file; with all its shards if it is one of several
  std::vector<std::string> globs = {};  // all files that match one of these ('*' matches '/' too)
};

// The files to fetch, the one to open first. A model in shards (name-00001-of-00003.gguf) comes whole. Fails
// with not_found when nothing matches (naming what there is) and with bad_data when a shard is missing.
// `files` have been checked (names.h); `where` begins the message.
Result<std::vector<std::string>> select_files(std::span<const std::string> files, const Wish& wish,
                                              std::string_view where);

}  // namespace plm::hub
