#include "runtime/engine.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/cpu_features.h"
#include "runtime/vocabulary_file.h"

namespace plm::runtime {

TensorType default_cache_type(kernels::Isa isa) {
  return isa == kernels::Isa::avx512_bf16 || isa == kernels::Isa::amx ? TensorType::bf16 : TensorType::f16;
}

Result<std::unique_ptr<Engine>> Engine::load(const EngineOptions& options) {
  PLM_TRY(gguf::File file, gguf::File::open(options.model_path));
  std::unique_ptr<Engine> engine(new Engine(std::move(file)));
  PLM_TRY(engine->kernels_, options.isa.empty() ? kernels::select_kernels()
                                                : kernels::select_kernels(std::string_view(options.isa)));
  if (options.n_threads < 0 || options.context_length < 0 || options.batch_size < 1 ||
      options.batch_size > 65536) {
    return make_error(
        ErrorKind::invalid_argument,
        "threads, context length and batch size: found {}, {} and {}, expected no negative numbers and a "
        "batch of 1 to 65536",
        options.n_threads, options.context_length, options.batch_size);
  }
  engine->pool_ = options.pool;
  if (engine->pool_ == nullptr) {
    engine->pool_ =
        std::make_shared<ThreadPool>(options.n_threads > 0 ? options.n_threads : available_cpus());
  }
  PLM_TRY(engine->model_, model::load_model(engine->file_,
                                            {.kernels = engine->kernels_,
                                             .max_tokens = options.batch_size,
                                             .adapters = options.adapters,
                                             .progress = options.progress},
                                            *engine->pool_));
  PLM_TRY(engine->tokenizer_, load_tokenizer(engine->file_));
  const auto n_tokens = static_cast<int64_t>(engine->tokenizer_->vocabulary_size());
  if (n_tokens > engine->config().vocabulary_size) {
    return make_error(
        ErrorKind::bad_data,
        "{}: key tokenizer.ggml.tokens: found {} tokens, expected at most {} (rows of token_embd.weight)",
        options.model_path, n_tokens, engine->config().vocabulary_size);
  }
  engine->cache_type_ = options.cache_type.value_or(default_cache_type(engine->kernels_.isa));
  engine->context_length_ =
      options.context_length > 0 ? options.context_length : engine->config().context_length;
  return engine;
}

Result<Session> Engine::new_session() { return new_session(context_length_); }

Result<Session> Engine::new_session(int64_t context_length) {
  PLM_TRY(model::Cache cache, model::Cache::create(model_->cache_layout(), cache_type_, context_length));
  return Session(*this, std::move(cache));
}

Status Engine::decode_together(std::span<const Turn> turns) {
  std::vector<TokenId> tokens;
  std::vector<model::SequenceSlice> slices;
  std::vector<int64_t> logits_of;
  std::unordered_set<const Session*> seen;
  bool wants_hidden = false;
  for (const Turn& turn : turns) {
    PLM_CHECK(turn.session->engine_ == this && seen.insert(turn.session).second);
    PLM_TRY_STATUS(turn.session->check(turn.tokens));
    const auto begin = std::ssize(tokens);
    tokens.insert(tokens.end(), turn.tokens.begin(), turn.tokens.end());
    slices.push_back({.cache = &turn.session->cache_, .n_tokens = std::ssize(turn.tokens)});
    const int64_t first = turn.wanted == LogitsWanted::all    ? begin
                          : turn.wanted == LogitsWanted::last ? std::ssize(tokens) - 1
                                                              : std::ssize(tokens);
    for (int64_t t = first; t < std::ssize(tokens); ++t) logits_of.push_back(t);
    wants_hidden |= turn.hidden_TD != nullptr;
  }
  const auto n = static_cast<int64_t>(tokens.size());
  if (n == 0 || n > model_->max_tokens()) {
    return make_error(ErrorKind::invalid_argument,
                      "decode: found {} tokens of all sequences, expected 1 to {}", n, model_->max_tokens());
  }
  const int64_t W = config().vocabulary_size, D = config().width;
  shared_logits_.resize(logits_of.size() * static_cast<size_t>(W));
  if (wants_hidden) shared_hidden_.resize(static_cast<size_t>(n * D));
  model_->run({.tokens = tokens,
               .sequences = slices,
               .logits_of = logits_of,
               .logits = shared_logits_.data(),
               .hidden = wants_hidden ? shared_hidden_.data() : nullptr},
              *pool_);
  const float *logits = shared_logits_.data(), *hidden_D = shared_hidden_.data();
  for (const Turn& turn : turns) {
    const int64_t n_tokens = std::ssize(turn.tokens);
    const int64_t n_logits =
        turn.wanted == LogitsWanted::all ? n_tokens : (turn.wanted == LogitsWanted::last ? 1 : 0);
    // A copy for each: what a session answers must not change when others go on.
    turn.session->logits_.assign(logits, logits + n_logits * W);
    turn.session->n_logits_ = n_logits;
    logits += n_logits * W;
    if (turn.hidden_TD != nullptr) std::copy(hidden_D, hidden_D + n_tokens * D, turn.hidden_TD);
    if (wants_hidden) hidden_D += n_tokens * D;
  }
  return {};
}

void Session::run_step(std::span<const TokenId> tokens, std::span<const int64_t> logits_of, float* logits) {
  const model::SequenceSlice slice{.cache = &cache_, .n_tokens = static_cast<int64_t>(tokens.size())};
  engine_->model().run({.tokens = tokens,
                        .sequences = {&slice, 1},
                        .logits_of = logits_of,
                        .logits = logits,
                        .attention = attention_,
                        .live_above = live_above_,
                        .trace = trace_},
                       engine_->pool());
}

Status Session::check(std::span<const TokenId> tokens) const {
  const int64_t n = static_cast<int64_t>(tokens.size()), W = engine_->config().vocabulary_size;
  if (n == 0)
    return make_error(ErrorKind::invalid_argument, "decode: found no tokens, expected at least one");
  if (n > capacity() - position()) {
    return make_error(ErrorKind::invalid_argument,
                      "decode: found {} tokens, expected at most {} (the context holds {}, {} are taken)", n,
                      capacity() - position(), capacity(), position());
  }
  for (const TokenId token : tokens) {
    if (token < 0 || token >= W) {
      return make_error(ErrorKind::invalid_argument, "decode: token id: found {}, expected 0 to {}", token,
                        W - 1);
    }
  }
  return {};
}

Status Session::decode(std::span<const TokenId> tokens, LogitsWanted wanted,
                       const std::atomic<bool>* cancel) {
  const int64_t n = static_cast<int64_t>(tokens.size()), W = engine_->config().vocabulary_size;
  n_logits_ = 0;
  PLM_TRY_STATUS(check(tokens));
  const int64_t n_wanted = wanted == LogitsWanted::all ? n : (wanted == LogitsWanted::last ? 1 : 0);
  logits_.resize(static_cast<size_t>(n_wanted * W));
  std::vector<int64_t> logits_of;
  for (int64_t begin = 0; begin < n; begin += engine_->model().max_tokens()) {
    if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
      return make_error(ErrorKind::cancelled, "decode: cancelled after {} of {} tokens", begin, n);
    }
    const int64_t end = std::min(begin + engine_->model().max_tokens(), n);
    logits_of.clear();
    float* logits = logits_.data();
    if (wanted == LogitsWanted::all) {
      logits_of.resize(static_cast<size_t>(end - begin));
      std::iota(logits_of.begin(), logits_of.end(), int64_t{0});
      logits += begin * W;
    } else if (wanted == LogitsWanted::last && end == n) {
      logits_of.push_back(end - begin - 1);
    }
    run_step(tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)), logits_of, logits);
  }
  n_logits_ = n_wanted;
  return {};
}

std::span<const float> Session::logits() const {
  PLM_CHECK(n_logits_ > 0);
  return logits_of(n_logits_ - 1);
}

std::span<const float> Session::logits_of(int64_t token) const {
  PLM_CHECK(token >= 0 && token < n_logits_);
  const auto W = static_cast<size_t>(engine_->config().vocabulary_size);
  return {logits_.data() + static_cast<size_t>(token) * W, W};
}

}  // namespace plm::runtime
