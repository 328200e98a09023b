// A loaded model and what is needed to run it: file, tokenizer, weights, threads. Start here.
//
//   PLM_TRY(auto engine, Engine::load({.model_path = "model.gguf"}));
//   PLM_TRY(auto session, engine->new_session());
//   PLM_TRY_STATUS(session.decode(engine->tokenizer().encode("Once upon a time")));
//   TokenId next = sampler.sample(session.logits());
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "gguf/gguf_file.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

namespace plm::runtime {

using tokenizer::TokenId;

struct EngineOptions {
  std::string model_path;
  int n_threads = 0;                                   // 0: as many as there are CPUs for this process
  int64_t context_length = 0;                          // of a session; 0: what the model was trained for
  int64_t batch_size = 1024;                           // tokens of one step of prefill
  std::optional<TensorType> cache_type;                // f32, f16, bf16, q8_0; default: default_cache_type()
  std::vector<model::ScaledAdapter> adapters = {};     // model::read_gguf_adapter, convert::read_adapter
  std::string isa = {};                                // as PLM_ISA; empty: the environment, else the fastest
  std::function<void(double fraction)> progress = {};  // of loading
  // Threads of another engine that never runs at the same time; n_threads does not count then.
  std::shared_ptr<ThreadPool> pool = {};
};

// bf16 where the CPU multiplies it, else f16.
TensorType default_cache_type(kernels::Isa isa);

enum class LogitsWanted { none, last, all };

class Session;

// The next tokens of one sequence in a step that several share.
struct Turn {
  Session* session = nullptr;
  std::span<const TokenId> tokens;
  LogitsWanted wanted = LogitsWanted::last;
  // Receives the last hidden row (D numbers, normed) of each of the tokens; null: not wanted.
  float* hidden_TD = nullptr;
};

// Not thread safe: one call at a time, of the engine and of all its sessions together.
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> load(const EngineOptions& options);

  const gguf::File& file() const { return file_; }
  const tokenizer::Tokenizer& tokenizer() const { return *tokenizer_; }
  const model::Config& config() const { return model_->config(); }
  model::Model& model() { return *model_; }
  const model::Model& model() const { return *model_; }
  const kernels::Kernels& kernels() const { return kernels_; }
  TensorType cache_type() const { return cache_type_; }
  int64_t cache_bytes_per_token() const { return model_->cache_layout().bytes_per_token(cache_type_); }
  int64_t context_length() const { return context_length_; }
  int n_threads() const { return pool_->size(); }
  ThreadPool& pool() { return *pool_; }
  const std::shared_ptr<ThreadPool>& shared_pool() const { return pool_; }

  // A new, empty sequence. Fails with out_of_memory when its cache could not fit.
  Result<Session> new_session();
  Result<Session> new_session(int64_t context_length);

  // Tokens of one step, of all its sequences.
  int64_t batch_size() const { return model_->max_tokens(); }

  // Runs the next tokens of several of its sessions in one step, which reads the weights once for all of
  // them. Every session then holds the logits that its turn wanted. A session occurs once; all tokens
  // together are at most the batch size. Up to rounding the answers are those of decode() for each session
  // alone. They are its bits when all turns together have up to kernels::kFineTokens tokens, which are those
  // of one token at a time (decision 0090), and when every turn has more than that (decision 0085). Fails as
  // decode() does, with nothing run.
  Status decode_together(std::span<const Turn> turns);

 private:
  Engine(gguf::File file) : file_(std::move(file)) {}

  gguf::File file_;
  kernels::Kernels kernels_;
  std::shared_ptr<ThreadPool> pool_;
  std::optional<tokenizer::Tokenizer> tokenizer_;
  std::unique_ptr<model::Model> model_;
  TensorType cache_type_ = TensorType::f16;
  int64_t context_length_ = 0;
  std::vector<float> shared_logits_, shared_hidden_;  // of decode_together
};

// One sequence: its tokens' rows in the model's cache. Must not outlive its engine.
class Session {
 public:
  // Runs tokens after those already cached. The logits asked for can be read until the next call.
  // Fails with invalid_argument on an id outside the vocabulary or when the tokens do not fit the
  // context (nothing is run then), and with cancelled after `cancel` was set from another thread or a
  // signal handler: the tokens of whole steps before that stay.
  Status decode(std::span<const TokenId> tokens, LogitsWanted wanted = LogitsWanted::last,
                const std::atomic<bool>* cancel = nullptr);

  // Of the last token of the last decode(): W numbers.
  std::span<const float> logits() const;
  // Of a token of the last decode(..., LogitsWanted::all), by its index in that call.
  std::span<const float> logits_of(int64_t token) const;

  int64_t position() const { return cache_.n_tokens(); }  // tokens cached so far
  int64_t capacity() const { return cache_.capacity(); }
  const model::Cache& cache() const { return cache_; }
  model::Cache& cache() { return cache_; }

  void truncate(int64_t n_tokens) { cache_.truncate(n_tokens); }
  // Drops cached tokens [keep, keep + discard) and moves the later ones down.
  void shift(int64_t keep, int64_t discard) { cache_.shift(keep, discard); }

  // For tests and experiments; see model/step.h.
  void set_attention_form(model::AttentionForm form) { attention_ = form; }
  void set_trace(const model::Trace* trace) { trace_ = trace; }
  // See model::Step::live_above: one number a layer, or none. Not of decode_together().
  void set_live_above(std::vector<float> thresholds) { live_above_ = std::move(thresholds); }

 private:
  friend class Engine;
  Session(Engine& engine, model::Cache cache) : engine_(&engine), cache_(std::move(cache)) {}
  Status check(std::span<const TokenId> tokens) const;
  void run_step(std::span<const TokenId> tokens, std::span<const int64_t> logits_of, float* logits);

  Engine* engine_;
  model::Cache cache_;
  std::vector<float> logits_;
  int64_t n_logits_ = 0;
  model::AttentionForm attention_ = model::AttentionForm::automatic;
  const model::Trace* trace_ = nullptr;
  std::vector<float> live_above_;
};

}  // namespace plm::runtime
