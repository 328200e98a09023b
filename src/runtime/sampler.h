// Chooses the next token from the logits, of those that a grammar allows where there is one. Names, order,
// meaning and defaults are llama.cpp's (common/sampling and llama-sampler.cpp), so that settings carry over;
// the random numbers are our own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "grammar/constraint.h"
#include "tokenizer/token.h"

namespace plm::runtime {

using tokenizer::TokenId;

// One step of the chain. Each narrows or reshapes what the steps before it left.
enum class SamplerStage { penalties, dry, top_n_sigma, top_k, typical_p, top_p, min_p, xtc, temperature };

std::vector<SamplerStage> default_sampler_chain();
std::string_view sampler_stage_name(SamplerStage stage);  // as llama.cpp spells it: "typ_p"

// "penalties;top_k;temperature", names as llama.cpp takes them. Fails with invalid_argument, listing the
// names.
Result<std::vector<SamplerStage>> parse_sampler_chain(std::string_view names);
// The short form, a letter for each: e penalties, d dry, s top_n_sigma, k, y typ_p, p, m min_p, x xtc, t.
Result<std::vector<SamplerStage>> parse_sampler_letters(std::string_view letters);

// A sequence of tokens that DRY does not look across: `head`, then `tail` (often empty).
struct DryBreaker {
  TokenId head;
  std::vector<TokenId> tail;
};

struct SamplerOptions {
  std::optional<uint64_t> seed;  // none: taken from the operating system; see Sampler::seed()
  std::vector<SamplerStage> chain = default_sampler_chain();

  float temperature = 0.8f;      // 0 or less: greedy (penalties still count, filters do not)
  int32_t top_k = 40;            // 0 or less: off
  float top_p = 0.95f;           // 1: off
  float min_p = 0.05f;           // 0: off
  float typical_p = 1.0f;        // 1: off
  float top_n_sigma = -1.0f;     // 0 or less: off
  float xtc_probability = 0.0f;  // 0: off
  float xtc_threshold = 0.1f;    // above 0.5: off

  int32_t repeat_last_n = 64;  // tokens looked back on; 0: off, -1: all
  float repeat_penalty = 1.0f;
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;

  float dry_multiplier = 0.0f;  // 0: off
  float dry_base = 1.75f;
  int32_t dry_allowed_length = 2;
  int32_t dry_penalty_last_n = -1;  // 0: off, -1: all
  std::vector<DryBreaker> dry_breakers;

  int32_t mirostat = 0;  // 0 or 2. With 2 the chain is not used: temperature, then mirostat, as in llama.cpp
  float mirostat_tau = 5.0f;
  float mirostat_eta = 0.1f;

  std::vector<std::pair<TokenId, float>> logit_bias;  // added first of all; -infinity bans a token

  // What is not in its grammar is not chosen, whatever the rest says. Null: anything goes.
  std::shared_ptr<const grammar::Constraint> constraint;
};

// The sampler of one sequence: its settings, random numbers and memory of what was accepted. Not for several
// threads at once. Equal seeds, settings and logits give equal tokens.
class Sampler {
 public:
  // Fails with invalid_argument on a setting that is NaN or out of range, naming it.
  static Result<Sampler> create(SamplerOptions options, int64_t vocabulary_size);
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;
  ~Sampler();

  // logits: one for each token of the vocabulary, not changed. Does not accept the token. Fails with bad_data
  // on a NaN or +infinity, or when every logit is -infinity; with invalid_argument where a constraint or bias
  // leaves nothing to choose. Ties: the lowest id is the better.
  Result<TokenId> sample(std::span<const float> logits);

  // Tells the sampler of a token of the prompt.
  void accept_prompt(TokenId token);
  // Tells the sampler of a token of the answer: the one it chose.
  void accept(TokenId token);
  // The next token begins an answer of its own: the constraint starts anew.
  void begin_answer();

  // Forgets all accepted tokens and starts the random numbers from the seed again.
  void reset();

  uint64_t seed() const;
  const SamplerOptions& options() const;

 private:
  struct State;
  explicit Sampler(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The lowest id of the largest logit. Fails as Sampler::sample does.
Result<TokenId> greedy_token(std::span<const float> logits);

// Draws from softmax(logits) with a given uniform number: the first id whose cumulative probability, in order
// of ids, exceeds u. In double precision. Fails as Sampler::sample does; u in [0, 1).
Result<TokenId> token_at_quantile(std::span<const float> logits, double u);

}  // namespace plm::runtime
