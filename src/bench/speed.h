// Timing a loaded model as llama-bench does: tokens a second of prefill and decode, at a depth, of one
// sequence or of several together. Tokenising and sampling are not part of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/machine.h"
#include "bench/summary.h"
#include "runtime/engine.h"

namespace plm::bench {

// One line of the table: n_prompt tokens of prefill, then n_generate of decode (either may be 0, not
// both), after `depth` tokens are in the cache already. Of several sequences each does all that: they
// prefill one after the other and decode together.
struct SpeedTest {
  int64_t n_prompt = 0;
  int64_t n_generate = 0;
  int64_t depth = 0;
  int64_t n_sequences = 1;

  int64_t n_tokens() const { return (n_prompt + n_generate) * n_sequences; }
  int64_t positions() const { return depth + n_prompt + n_generate; }  // of a sequence, at the end
  std::string name() const;  // "pp512", "tg128 @ d4096", "pp512+tg128", "tg64 x8"
};

struct SpeedResult {
  SpeedTest test;
  std::vector<double> seconds;  // of each repetition

  // What is known of our own engine only; empty or 0 otherwise.
  std::vector<double> zero_rate_of_layer;  // of the squared ReLU in the timed part
  // Bytes one token had to read: weights, live rows of the down projections, and the cache at the middle
  // of the test. Of plain decode of one sequence; else 0.
  double bytes_per_token = 0;
  // Of the layers' quantised matrices, which are multiplied in integers. Of plain prefill; else 0.
  double operations_per_token = 0;
  MachineLimits limits;  // sampled between the repetitions

  Summary tokens_per_second() const;
  std::vector<double> rates() const;  // of each repetition
  double zero_rate() const;
  double bytes_per_second() const { return bytes_per_token * tokens_per_second().median; }
  double operations_per_second() const { return operations_per_token * tokens_per_second().median; }
  // Of what the same threads read, or multiply, when they do nothing else; 0 where it is not known.
  double share_of_bandwidth() const;
  double share_of_int8_peak() const;
};

// What runs a test once; the timed part's seconds. A peer may stand in for our own engine.
class SpeedRunner {
 public:
  virtual ~SpeedRunner() = default;
  virtual Result<double> run(const SpeedTest& test) = 0;
};

// Our own engine. Sessions are kept between calls: a depth that is in the cache already, of this test or
// of one before, is not filled again, and what a test adds is dropped at its end.
class EngineRunner final : public SpeedRunner {
 public:
  // Sessions for the largest of the tests.
  static Result<EngineRunner> create(runtime::Engine& engine, const std::vector<SpeedTest>& tests);

  // Reads this text, over and over, in place of bench_token(). Zeros of a trained model depend on what it
  // reads. At least one token.
  void set_text(std::vector<int32_t> ids) { text_ = std::move(ids); }

  Result<double> run(const SpeedTest& test) override;

  // Of the last run.
  const std::vector<double>& zero_rate_of_layer() const { return zero_rate_of_layer_; }
  double bytes_per_token(const SpeedTest& test) const;
  double operations_per_token(const SpeedTest& test) const;
  ThreadPool& pool() const { return engine_->pool(); }

 private:
  explicit EngineRunner(runtime::Engine& engine) : engine_(&engine) {}
  int32_t token(size_t sequence, int64_t position) const;
  std::vector<int32_t> tokens(size_t sequence, int64_t begin, int64_t n) const;
  Status generate(const SpeedTest& test);
  void note_zeros();

  runtime::Engine* engine_;
  std::vector<runtime::Session> sessions_;
  std::vector<int32_t> text_;
  std::vector<double> zero_rate_of_layer_;
};

struct SpeedProgress {
  const SpeedTest& test;
  int64_t repetition;  // from 0; -1 is the warm-up, which also fills the cache up to the depth
  int64_t n_repetitions;
};

struct Contest {
  EngineRunner& ours;
  SpeedRunner* theirs = nullptr;  // may be absent
  const MachineProbe& probe;
  int64_t n_repetitions = 1;
  std::function<void(const SpeedProgress&)> progress = {};  // may be empty
};

struct ContestResult {
  SpeedResult ours;
  std::optional<SpeedResult> theirs;

  // Of the medians: above 1, we are faster. 0 without a peer.
  double ratio() const;
};

// Warms up, then runs each test n_repetitions times: ours, a sample of the machine, theirs, in turns, so
// that a machine whose speed drifts shifts all of them.
Result<std::vector<ContestResult>> measure_speed(const Contest& contest, const std::vector<SpeedTest>& tests);

// Seconds until the model has answered a prompt of kStartTokens tokens, loading (which the caller began
// `loading_seconds` ago) included.
inline constexpr int64_t kStartTokens = 10;
Result<double> seconds_to_first_token(runtime::Engine& engine, double loading_seconds);

// The token at a place of a test's text: the same for our engine and for peers (tools/llama_cpp_runner.py),
// and spread over the vocabulary. Each sequence has a text of its own.
int32_t bench_token(int64_t sequence, int64_t position, int64_t vocabulary_size);

}  // namespace plm::bench
