// Our engine beside llama.cpp: the same tests on the same file in the same run, in turns, so that a
// machine whose speed drifts shifts both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/speed.h"

namespace plm::bench {

// llama.cpp in a process of its own, driven over pipes by tools/llama_cpp_runner.py with a Python that
// has llama-cpp-python. Only one of the two engines works at a time.
class LlamaCppRunner final : public SpeedRunner {
 public:
  struct Options {
    std::string python;  // interpreter
    std::string script;  // llama_cpp_runner.py
    std::string model_path;
    int n_threads = 0;
    int64_t capacity = 0;
  };
  static Result<std::unique_ptr<LlamaCppRunner>> start(const Options& options);
  ~LlamaCppRunner() override;
  LlamaCppRunner(const LlamaCppRunner&) = delete;
  LlamaCppRunner& operator=(const LlamaCppRunner&) = delete;

  Result<double> run(const SpeedTest& test) override;
  Result<int64_t> peak_resident_bytes();
  const std::string& version() const { return version_; }

 private:
  LlamaCppRunner() = default;
  Result<std::string> ask(const std::string& line, const std::string& expected_word);
  Result<std::string> read_answer(const std::string& expected_word);

  int to_child_ = -1, from_child_ = -1, pid_ = -1;
  std::string received_;  // not yet read as lines
  std::string version_;
};

struct Comparison {
  SpeedResult ours;
  std::vector<double> their_seconds;

  // Of the medians: above 1, we are faster.
  double ratio() const;
};

Result<std::vector<Comparison>> compare_speed(EngineRunner& ours, SpeedRunner& theirs,
                                              const std::vector<SpeedTest>& tests, int64_t n_repetitions,
                                              const std::function<void(const SpeedProgress&)>& progress);

// A table in Markdown: both rates, the ratio, and the bandwidth our decode reached.
std::string render_comparison(const std::vector<Comparison>& comparisons);

}  // namespace plm::bench
