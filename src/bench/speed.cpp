#include "bench/speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace plm::bench {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::string SpeedTest::name() const {
  std::string text;
  if (n_prompt > 0) text += fmt::format("pp{}", n_prompt);
  if (n_generate > 0) text += fmt::format("{}tg{}", text.empty() ? "" : "+", n_generate);
  if (depth > 0) text += fmt::format(" @ d{}", depth);
  return text;
}

std::vector<double> SpeedResult::tokens_per_second() const {
  std::vector<double> rates;
  for (const double s : seconds) rates.push_back(static_cast<double>(test.n_tokens()) / s);
  return rates;
}

double SpeedResult::zero_rate() const {
  if (zero_rate_of_layer.empty()) return 0;
  return std::accumulate(zero_rate_of_layer.begin(), zero_rate_of_layer.end(), 0.0) /
         static_cast<double>(zero_rate_of_layer.size());
}

Summary summarise(std::vector<double> values) {
  Summary s;
  if (values.empty()) return s;
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  s.least = values.front();
  s.most = values.back();
  const size_t middle = values.size() / 2;
  s.median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - s.mean) * (value - s.mean);
  s.deviation = values.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;
  return s;
}

int32_t bench_token(int64_t position, int64_t vocabulary_size) {
  // A full-period step through the vocabulary's first part, without control tokens at its end.
  const int64_t usable = std::max<int64_t>(1, vocabulary_size * 9 / 10);
  return static_cast<int32_t>(position * 7919 % usable);
}

Result<EngineRunner> EngineRunner::create(runtime::Engine& engine, int64_t capacity) {
  PLM_TRY(runtime::Session session, engine.new_session(capacity));
  return EngineRunner(engine, std::move(session));
}

Result<double> EngineRunner::run(const SpeedTest& test) {
  const int64_t vocabulary = engine_->config().vocabulary_size;
  const auto tokens = [&](int64_t begin, int64_t n) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < n; ++i) ids.push_back(bench_token(begin + i, vocabulary));
    return ids;
  };
  if (session_.position() > test.depth) session_.truncate(test.depth);
  if (session_.position() < test.depth) {
    PLM_TRY_STATUS(session_.decode(tokens(session_.position(), test.depth - session_.position()),
                                   runtime::LogitsWanted::none));
  }
  model::Model& model = engine_->model();
  model.clear_sparsity();
  const auto start = std::chrono::steady_clock::now();
  if (test.n_prompt > 0) PLM_TRY_STATUS(session_.decode(tokens(test.depth, test.n_prompt)));
  for (int64_t i = 0; i < test.n_generate; ++i) {
    PLM_TRY_STATUS(session_.decode(tokens(test.depth + test.n_prompt + i, 1)));
  }
  const double seconds = seconds_since(start);
  zero_rate_of_layer_.clear();
  const model::SparsityCounts& counts = model.sparsity();
  const double per_layer =
      static_cast<double>(counts.n_tokens) * static_cast<double>(engine_->config().ffn_width);
  for (const int64_t live : counts.live_of_layer) {
    zero_rate_of_layer_.push_back(1.0 - static_cast<double>(live) / per_layer);
  }
  session_.truncate(test.depth);
  return seconds;
}

double EngineRunner::bytes_per_token(const SpeedTest& test) const {
  if (test.n_prompt > 0) return 0;
  const model::WeightBytes weights = engine_->model().weight_bytes();
  double live = 0;
  for (const double zero : zero_rate_of_layer_)
    live += (1.0 - zero) / static_cast<double>(zero_rate_of_layer_.size());
  const double positions = static_cast<double>(test.depth) + static_cast<double>(test.n_generate) / 2;
  return static_cast<double>(weights.dense_per_token) + live * static_cast<double>(weights.down_per_token) +
         positions * static_cast<double>(session_.cache().bytes_per_token());
}

Result<std::vector<SpeedResult>> measure_speed(EngineRunner& runner, const std::vector<SpeedTest>& tests,
                                               int64_t n_repetitions,
                                               const std::function<void(const SpeedProgress&)>& progress) {
  std::vector<SpeedResult> results;
  for (const SpeedTest& test : tests) {
    SpeedResult result{.test = test, .seconds = {}, .zero_rate_of_layer = {}};
    if (progress) progress({test, -1, n_repetitions});
    // A few tokens bring threads, caches and pages to life.
    PLM_TRY(const double warm_up, runner.run({.n_prompt = std::min<int64_t>(test.n_prompt, 64),
                                              .n_generate = std::min<int64_t>(test.n_generate, 4),
                                              .depth = test.depth}));
    static_cast<void>(warm_up);
    for (int64_t i = 0; i < n_repetitions; ++i) {
      if (progress) progress({test, i, n_repetitions});
      PLM_TRY(const double seconds, runner.run(test));
      result.seconds.push_back(seconds);
    }
    result.zero_rate_of_layer = runner.zero_rate_of_layer();
    result.bytes_per_token = runner.bytes_per_token(test);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace plm::bench
