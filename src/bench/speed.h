// Timing a loaded model as llama-bench does: tokens a second of prefill and decode, at a depth.
// Tokenising and sampling are not part of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "runtime/engine.h"

namespace plm::bench {

// One line of the table: n_prompt tokens of prefill, then n_generate of decode (either may be 0, not
// both), after `depth` tokens are in the cache already.
struct SpeedTest {
  int64_t n_prompt = 0;
  int64_t n_generate = 0;
  int64_t depth = 0;

  int64_t n_tokens() const { return n_prompt + n_generate; }
  std::string name() const;  // "pp512", "tg128 @ d4096", "pp512+tg128"
};

struct SpeedResult {
  SpeedTest test;
  std::vector<double> seconds;             // of each repetition
  std::vector<double> zero_rate_of_layer;  // of the squared ReLU in the timed part
  // Bytes one token had to read: weights, live rows of the down projections, and for decode the cache
  // at the middle of the test. 0 for prefill.
  double bytes_per_token = 0;

  std::vector<double> tokens_per_second() const;
  double zero_rate() const;
};

struct Summary {
  double mean = 0, deviation = 0, median = 0, least = 0, most = 0;
};
Summary summarise(std::vector<double> values);

// What runs a test once; the timed part's seconds. A peer may stand in for our own engine.
class SpeedRunner {
 public:
  virtual ~SpeedRunner() = default;
  virtual Result<double> run(const SpeedTest& test) = 0;
};

// Our own engine. The session is kept between calls; the depth is filled when it changes.
class EngineRunner final : public SpeedRunner {
 public:
  // The session holds `capacity` tokens: depth + n_tokens() of the largest test.
  static Result<EngineRunner> create(runtime::Engine& engine, int64_t capacity);

  Result<double> run(const SpeedTest& test) override;

  // Of the last run.
  const std::vector<double>& zero_rate_of_layer() const { return zero_rate_of_layer_; }
  double bytes_per_token(const SpeedTest& test) const;

 private:
  EngineRunner(runtime::Engine& engine, runtime::Session session)
      : engine_(&engine), session_(std::move(session)) {}

  runtime::Engine* engine_;
  runtime::Session session_;
  std::vector<double> zero_rate_of_layer_;
};

struct SpeedProgress {
  const SpeedTest& test;
  int64_t repetition;  // from 0; -1 is the warm-up
  int64_t n_repetitions;
};

// Warms up, then runs each test `n_repetitions` times.
Result<std::vector<SpeedResult>> measure_speed(EngineRunner& runner, const std::vector<SpeedTest>& tests,
                                               int64_t n_repetitions,
                                               const std::function<void(const SpeedProgress&)>& progress);

// The token at a place of a test's text: the same for our engine and for peers, and spread over the
// vocabulary.
int32_t bench_token(int64_t position, int64_t vocabulary_size);

}  // namespace plm::bench
