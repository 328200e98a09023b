// Another engine on the same file: llama.cpp, in a process of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/speed.h"

namespace plm::bench {

// Driven over pipes by tools/llama_cpp_runner.py with a Python that has llama-cpp-python. Only one of the
// two engines works at a time.
class LlamaCppRunner final : public SpeedRunner {
 public:
  struct Options {
    std::string python;  // interpreter
    std::string script;  // llama_cpp_runner.py
    std::string model_path;
    int n_threads = 0;
    std::vector<SpeedTest> tests;  // what it must have room for
  };
  static Result<std::unique_ptr<LlamaCppRunner>> start(const Options& options);
  ~LlamaCppRunner() override;
  LlamaCppRunner(const LlamaCppRunner&) = delete;
  LlamaCppRunner& operator=(const LlamaCppRunner&) = delete;

  Result<double> run(const SpeedTest& test) override;
  Result<int64_t> peak_resident_bytes();
  const std::string& version() const { return version_; }
  // Of loading and a prompt of kStartTokens tokens; the interpreter's start does not count.
  double seconds_to_first_token() const { return seconds_to_first_token_; }

 private:
  LlamaCppRunner() = default;
  Status read_ready();
  Result<std::string> ask(const std::string& line, const std::string& expected_word);
  Result<std::string> read_answer(const std::string& expected_word);

  int to_child_ = -1, from_child_ = -1, pid_ = -1;
  std::string received_;  // not yet read as lines
  std::string version_;
  double seconds_to_first_token_ = 0;
};

}  // namespace plm::bench
