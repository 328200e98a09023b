#include "bench/speed.h"

#include <algorithm>
#include <numeric>

#include "base/clock.h"

namespace plm::bench {

std::string SpeedTest::name() const {
  std::string text;
  if (n_prompt > 0) text += fmt::format("pp{}", n_prompt);
  if (n_generate > 0) text += fmt::format("{}tg{}", text.empty() ? "" : "+", n_generate);
  if (depth > 0) text += fmt::format(" @ d{}", depth);
  if (n_sequences > 1) text += fmt::format(" x{}", n_sequences);
  return text;
}

std::vector<double> SpeedResult::rates() const {
  std::vector<double> rates;
  for (const double s : seconds) rates.push_back(static_cast<double>(test.n_tokens()) / s);
  return rates;
}

Summary SpeedResult::tokens_per_second() const { return summarise(rates()); }

double SpeedResult::zero_rate() const { return summarise(zero_rate_of_layer).mean; }

double SpeedResult::share_of_bandwidth() const {
  return limits.read_bytes.median > 0 ? bytes_per_second() / limits.read_bytes.median : 0;
}

double SpeedResult::share_of_int8_peak() const {
  return limits.int8_operations.median > 0 ? operations_per_second() / limits.int8_operations.median : 0;
}

double ContestResult::ratio() const {
  return theirs ? ours.tokens_per_second().median / theirs->tokens_per_second().median : 0;
}

int32_t bench_token(int64_t sequence, int64_t position, int64_t vocabulary_size) {
  // A full-period step through the vocabulary's first part, without control tokens at its end.
  const int64_t usable = std::max<int64_t>(1, vocabulary_size * 9 / 10);
  return static_cast<int32_t>((position * 7919 + sequence * 104729) % usable);
}

Result<EngineRunner> EngineRunner::create(runtime::Engine& engine, const std::vector<SpeedTest>& tests) {
  int64_t capacity = 1, n_sessions = 1;
  for (const SpeedTest& test : tests) {
    capacity = std::max(capacity, test.positions());
    n_sessions = std::max(n_sessions, test.n_sequences);
  }
  EngineRunner runner(engine);
  for (int64_t i = 0; i < n_sessions; ++i) {
    PLM_TRY(runtime::Session session, engine.new_session(capacity));
    runner.sessions_.push_back(std::move(session));
  }
  return runner;
}

int32_t EngineRunner::token(size_t sequence, int64_t position) const {
  if (text_.empty()) {
    return bench_token(static_cast<int64_t>(sequence), position, engine_->config().vocabulary_size);
  }
  // Sequences begin at different places of the text.
  const size_t begin = sequence * text_.size() / sessions_.size();
  return text_[(begin + static_cast<size_t>(position)) % text_.size()];
}

std::vector<int32_t> EngineRunner::tokens(size_t sequence, int64_t begin, int64_t n) const {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) ids.push_back(token(sequence, begin + i));
  return ids;
}

Status EngineRunner::generate(const SpeedTest& test) {
  const auto n = static_cast<size_t>(test.n_sequences);
  std::vector<int32_t> next(n);
  for (int64_t i = 0; i < test.n_generate; ++i) {
    std::vector<runtime::Turn> turns;
    for (size_t s = 0; s < n; ++s) {
      next[s] = token(s, test.depth + test.n_prompt + i);
      turns.push_back({.session = &sessions_[s], .tokens = std::span(&next[s], 1)});
    }
    if (n == 1) {
      PLM_TRY_STATUS(sessions_[0].decode(next));
    } else {
      PLM_TRY_STATUS(engine_->decode_together(turns));
    }
  }
  return {};
}

void EngineRunner::note_zeros() {
  const model::SparsityCounts& counts = engine_->model().sparsity();
  const double per_layer =
      static_cast<double>(counts.n_tokens) * static_cast<double>(engine_->config().ffn_width);
  zero_rate_of_layer_.clear();
  for (const int64_t live : counts.live_of_layer) {
    zero_rate_of_layer_.push_back(1.0 - static_cast<double>(live) / per_layer);
  }
}

Result<double> EngineRunner::run(const SpeedTest& test) {
  const auto n = static_cast<size_t>(test.n_sequences);
  PLM_CHECK(n >= 1 && n <= sessions_.size());
  for (size_t s = 0; s < n; ++s) {
    runtime::Session& session = sessions_[s];
    session.truncate(std::min(session.position(), test.depth));
    if (session.position() == test.depth) continue;
    PLM_TRY_STATUS(session.decode(tokens(s, session.position(), test.depth - session.position()),
                                  runtime::LogitsWanted::none));
  }
  engine_->model().clear_sparsity();
  const double start = seconds_now();
  for (size_t s = 0; s < n && test.n_prompt > 0; ++s) {
    PLM_TRY_STATUS(sessions_[s].decode(tokens(s, test.depth, test.n_prompt)));
  }
  PLM_TRY_STATUS(generate(test));
  const double seconds = seconds_now() - start;
  note_zeros();
  for (size_t s = 0; s < n; ++s) sessions_[s].truncate(test.depth);
  return seconds;
}

double EngineRunner::bytes_per_token(const SpeedTest& test) const {
  if (test.n_prompt > 0 || test.n_sequences > 1) return 0;
  const model::WeightBytes weights = engine_->model().weight_bytes();
  const double live = 1.0 - summarise(zero_rate_of_layer_).mean;
  const double positions = static_cast<double>(test.depth) + static_cast<double>(test.n_generate) / 2;
  return static_cast<double>(weights.dense_per_token) + live * static_cast<double>(weights.down_per_token) +
         positions * static_cast<double>(sessions_[0].cache().bytes_per_token());
}

double EngineRunner::operations_per_token(const SpeedTest& test) const {
  if (test.n_generate > 0) return 0;
  // The output matrix serves the last token alone.
  int64_t n_weights = 0;
  for (const gguf::TensorInfo& tensor : engine_->file().tensors()) {
    const bool is_quantised = kernels::packed_format(tensor.type).codes != kernels::CodeKind::plain;
    if (is_quantised && tensor.name.starts_with("blk.")) n_weights += tensor.shape[0] * tensor.shape[1];
  }
  return 2.0 * static_cast<double>(n_weights);
}

Result<std::vector<ContestResult>> measure_speed(const Contest& contest,
                                                 const std::vector<SpeedTest>& tests) {
  std::vector<ContestResult> results;
  for (const SpeedTest& test : tests) {
    ContestResult result;
    result.ours.test = test;
    if (contest.theirs != nullptr) result.theirs.emplace().test = test;
    const auto tell = [&](int64_t repetition) {
      if (contest.progress) contest.progress({test, repetition, contest.n_repetitions});
    };
    // A few tokens bring threads, caches and pages to life.
    SpeedTest warm_up = test;
    warm_up.n_prompt = std::min<int64_t>(test.n_prompt, 64);
    warm_up.n_generate = std::min<int64_t>(test.n_generate, 4);
    tell(-1);
    PLM_TRY([[maybe_unused]] const double our_warm_up, contest.ours.run(warm_up));
    if (contest.theirs != nullptr) {
      PLM_TRY([[maybe_unused]] const double their_warm_up, contest.theirs->run(warm_up));
    }
    MachineSamples machine;
    for (int64_t i = 0; i < contest.n_repetitions; ++i) {
      tell(i);
      PLM_TRY(const double our_seconds, contest.ours.run(test));
      result.ours.seconds.push_back(our_seconds);
      contest.probe.sample(contest.ours.pool(), machine);
      if (contest.theirs == nullptr) continue;
      PLM_TRY(const double their_seconds, contest.theirs->run(test));
      result.theirs->seconds.push_back(their_seconds);
    }
    result.ours.zero_rate_of_layer = contest.ours.zero_rate_of_layer();
    result.ours.bytes_per_token = contest.ours.bytes_per_token(test);
    result.ours.operations_per_token = contest.ours.operations_per_token(test);
    result.ours.limits = machine.limits();
    results.push_back(std::move(result));
  }
  return results;
}

Result<double> seconds_to_first_token(runtime::Engine& engine, double loading_seconds) {
  const double start = seconds_now();
  PLM_TRY(runtime::Session session, engine.new_session(kStartTokens));
  std::vector<int32_t> prompt;
  for (int64_t i = 0; i < kStartTokens; ++i) {
    prompt.push_back(bench_token(0, i, engine.config().vocabulary_size));
  }
  PLM_TRY_STATUS(session.decode(prompt));
  return loading_seconds + seconds_now() - start;
}

}  // namespace plm::bench
