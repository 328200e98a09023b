// Which tests plm bench runs: its options -p -n -pg -d --batch.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "bench/speed.h"

namespace plm::cli {

// Numbers as llama-bench reads them: 512; lists 128,512; ranges 128-512+128 or 128-1024*2. Fails with
// invalid_argument, naming the option.
Result<std::vector<int64_t>> read_number_list(std::string_view option, const std::string& text);

class BenchTests {
 public:
  void add_to(CLI::App& app);

  // Ordered by depth, so that a cache filled for one test serves the next.
  Result<std::vector<bench::SpeedTest>> read() const;

 private:
  std::string prompts_ = "512", generates_ = "128", depths_ = "0", batches_ = "1", pairs_;
};

}  // namespace plm::cli
