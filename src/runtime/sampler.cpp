#include "runtime/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "runtime/random.h"
#include "runtime/sampler_candidates.h"
#include "runtime/sampler_filters.h"
#include "runtime/sampler_penalties.h"

namespace plm::runtime {

namespace {

struct StageName {
  SamplerStage stage;
  char letter;
  std::string_view name;
  std::string_view other_name;  // also taken, as by llama.cpp
};

// In the default order of the chain.
constexpr std::array kStages = {
    StageName{SamplerStage::penalties, 'e', "penalties", "penalties"},
    StageName{SamplerStage::dry, 'd', "dry", "dry"},
    StageName{SamplerStage::top_n_sigma, 's', "top_n_sigma", "top-n-sigma"},
    StageName{SamplerStage::top_k, 'k', "top_k", "top-k"},
    StageName{SamplerStage::typical_p, 'y', "typ_p", "typical"},
    StageName{SamplerStage::top_p, 'p', "top_p", "top-p"},
    StageName{SamplerStage::min_p, 'm', "min_p", "min-p"},
    StageName{SamplerStage::xtc, 'x', "xtc", "xtc"},
    StageName{SamplerStage::temperature, 't', "temperature", "temp"},
};

Error unknown_stage(std::string_view found) {
  std::string known;
  for (const StageName& stage : kStages) known += fmt::format(" {} ({})", stage.name, stage.letter);
  return make_error(ErrorKind::invalid_argument, "sampler \"{}\" is not known; there are:{}", found, known);
}

struct Limit {
  std::string_view name;
  float value, least, most;
};

Status check_options(const SamplerOptions& options, int64_t vocabulary_size) {
  constexpr float kAny = std::numeric_limits<float>::max();
  const std::array limits = {
      Limit{"temperature", options.temperature, -kAny, kAny},
      Limit{"top-p", options.top_p, 0.0f, kAny},
      Limit{"min-p", options.min_p, -kAny, 1.0f},
      Limit{"typical", options.typical_p, 0.0f, kAny},
      Limit{"top-n-sigma", options.top_n_sigma, -kAny, kAny},
      Limit{"xtc-probability", options.xtc_probability, 0.0f, 1.0f},
      Limit{"xtc-threshold", options.xtc_threshold, 0.0f, 1.0f},
      Limit{"repeat-penalty", options.repeat_penalty, 1e-3f, 1e3f},
      Limit{"presence-penalty", options.presence_penalty, -1e6f, 1e6f},
      Limit{"frequency-penalty", options.frequency_penalty, -1e6f, 1e6f},
      Limit{"dry-multiplier", options.dry_multiplier, 0.0f, kAny},
      Limit{"dry-base", options.dry_base, -kAny, kAny},
      Limit{"mirostat-ent", options.mirostat_tau, 0.0f, 1e3f},
      Limit{"mirostat-lr", options.mirostat_eta, 0.0f, 1e3f},
  };
  for (const Limit& limit : limits) {
    if (limit.value >= limit.least && limit.value <= limit.most) continue;
    return make_error(ErrorKind::invalid_argument, "sampler setting {}: found {}, expected {}", limit.name,
                      limit.value,
                      limit.least == -kAny ? fmt::format("a number of at most {}", limit.most)
                      : limit.most == kAny ? fmt::format("a number of at least {}", limit.least)
                                           : fmt::format("{} to {}", limit.least, limit.most));
  }
  struct Least {
    std::string_view name;
    int64_t value, least;
  };
  for (const auto& [name, value, least] : {Least{"dry-allowed-length", options.dry_allowed_length, 0},
                                           Least{"repeat-last-n", options.repeat_last_n, -1},
                                           Least{"dry-penalty-last-n", options.dry_penalty_last_n, -1}}) {
    if (value >= least) continue;
    return make_error(ErrorKind::invalid_argument, "sampler setting {}: found {}, expected {} or more", name,
                      value, least);
  }
  if (options.mirostat != 0 && options.mirostat != 2) {
    return make_error(ErrorKind::invalid_argument,
                      "sampler setting mirostat: found {}, expected 0 (off) or 2", options.mirostat);
  }
  for (const auto& [id, bias] : options.logit_bias) {
    if (id < 0 || id >= vocabulary_size) {
      return make_error(ErrorKind::invalid_argument, "logit bias: token {} is outside the vocabulary of {}",
                        id, vocabulary_size);
    }
    if (std::isnan(bias) || bias == std::numeric_limits<float>::infinity()) {
      return make_error(ErrorKind::invalid_argument, "logit bias of token {}: found {}, expected a number",
                        id, bias);
    }
  }
  return {};
}

uint64_t seed_from_system() {
  std::random_device device;
  return device();  // 32 bits: a seed that is easily typed again
}

}  // namespace

std::vector<SamplerStage> default_sampler_chain() {
  std::vector<SamplerStage> chain;
  for (const StageName& stage : kStages) chain.push_back(stage.stage);
  return chain;
}

std::string_view sampler_stage_name(SamplerStage stage) {
  for (const StageName& known : kStages) {
    if (known.stage == stage) return known.name;
  }
  return {};
}

Result<std::vector<SamplerStage>> parse_sampler_chain(std::string_view names) {
  std::vector<SamplerStage> chain;
  while (!names.empty()) {
    const size_t end = std::min(names.find(';'), names.size());
    const std::string_view name = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
    const auto known = std::find_if(kStages.begin(), kStages.end(), [name](const StageName& stage) {
      return stage.name == name || stage.other_name == name;
    });
    if (known == kStages.end()) return unknown_stage(name);
    chain.push_back(known->stage);
  }
  return chain;
}

Result<std::vector<SamplerStage>> parse_sampler_letters(std::string_view letters) {
  std::vector<SamplerStage> chain;
  for (const char letter : letters) {
    const auto known = std::find_if(kStages.begin(), kStages.end(),
                                    [letter](const StageName& stage) { return stage.letter == letter; });
    if (known == kStages.end()) return unknown_stage(std::string_view(&letter, 1));
    chain.push_back(known->stage);
  }
  return chain;
}

struct Sampler::State {
  State(SamplerOptions given_options, int64_t given_vocabulary_size)
      : options(std::move(given_options)),
        vocabulary_size(given_vocabulary_size),
        seed(options.seed ? *options.seed : seed_from_system()),
        random(seed),
        mirostat(options.mirostat_tau, options.mirostat_eta) {
    if (options.constraint != nullptr) matcher.emplace(options.constraint);
    for (const auto& [id, bias] : options.logit_bias) biases[id] += bias;
    std::ranges::sort(options.dry_breakers, {}, &DryBreaker::head);
  }

  void apply(SamplerStage stage);
  Result<TokenId> sample(std::span<const float> logits);
  // The logits of what the constraint allows, the rest -infinity.
  std::span<const float> narrow(std::span<const float> logits, const grammar::Matcher::Allowed& allowed);

  SamplerOptions options;
  int64_t vocabulary_size;
  uint64_t seed;
  RandomGenerator random;
  Mirostat mirostat;
  std::unordered_map<TokenId, float> biases;
  std::vector<TokenId> history;
  Candidates candidates;
  std::optional<grammar::Matcher> matcher;
  Status matched;               // of the last token accepted
  std::vector<float> narrowed;  // logits
};

std::span<const float> Sampler::State::narrow(std::span<const float> logits,
                                              const grammar::Matcher::Allowed& allowed) {
  narrowed.assign(logits.size(), -std::numeric_limits<float>::infinity());
  for (size_t word = 0; word < allowed.bits.size(); ++word) {
    for (uint64_t rest = allowed.bits[word]; rest != 0; rest &= rest - 1) {
      const size_t id = word * 64 + static_cast<size_t>(std::countr_zero(rest));
      narrowed[id] = logits[id];
    }
  }
  if (allowed.can_end) {
    for (const TokenId id : options.constraint->tokens().end_ids()) {
      narrowed[static_cast<size_t>(id)] = logits[static_cast<size_t>(id)];
    }
  }
  return narrowed;
}

void Sampler::State::apply(SamplerStage stage) {
  switch (stage) {
    case SamplerStage::penalties:
      return apply_penalties(candidates, history, options);
    case SamplerStage::dry:
      return apply_dry(candidates, history, options);
    case SamplerStage::top_n_sigma:
      return filter_top_n_sigma(candidates, options.top_n_sigma);
    case SamplerStage::top_k:
      return filter_top_k(candidates, options.top_k);
    case SamplerStage::typical_p:
      return filter_typical_p(candidates, options.typical_p);
    case SamplerStage::top_p:
      return filter_top_p(candidates, options.top_p);
    case SamplerStage::min_p:
      return filter_min_p(candidates, options.min_p);
    case SamplerStage::xtc:
      return filter_xtc(candidates, {options.xtc_probability, options.xtc_threshold}, random);
    case SamplerStage::temperature:
      return apply_temperature(candidates, options.temperature);
  }
}

Result<TokenId> Sampler::State::sample(std::span<const float> logits) {
  if (matcher) {
    PLM_TRY_STATUS(matched);
    PLM_TRY(const auto allowed, matcher->allowed());
    // Nothing can follow: the answer ends, even where its end is banned.
    if (!allowed.can_go_on) return options.constraint->tokens().end_ids().front();
    logits = narrow(logits, allowed);
  }
  PLM_TRY_STATUS(candidates.assign(logits));
  if (!biases.empty()) {
    candidates.change_each(biases, [](float bias, float& logit) { logit += bias; });
  }
  if (!biases.empty() && !std::isfinite(candidates.max_logit())) {
    return make_error(ErrorKind::invalid_argument,
                      "cannot choose a token: the logit bias leaves none to choose");
  }
  const bool is_greedy = options.temperature <= 0.0f;
  if (options.mirostat == 2 && !is_greedy) {
    apply_temperature(candidates, options.temperature);
    return mirostat.choose(candidates, random);
  }
  for (const SamplerStage stage : options.chain) {
    const bool is_penalty = stage == SamplerStage::penalties || stage == SamplerStage::dry;
    if (is_penalty || !is_greedy) apply(stage);
  }
  if (is_greedy) {
    candidates.keep_best(1);
    return candidates.list().front().id;
  }
  return draw(candidates, random);
}

Sampler::Sampler(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;
Sampler::~Sampler() = default;

Result<Sampler> Sampler::create(SamplerOptions options, int64_t vocabulary_size) {
  PLM_TRY_STATUS(check_options(options, vocabulary_size));
  if (options.constraint != nullptr &&
      static_cast<int64_t>(options.constraint->tokens().vocabulary_size()) > vocabulary_size) {
    return make_error(ErrorKind::invalid_argument, "the constraint is of a vocabulary of {} tokens, not {}",
                      options.constraint->tokens().vocabulary_size(), vocabulary_size);
  }
  return Sampler(std::make_unique<State>(std::move(options), vocabulary_size));
}

Result<TokenId> Sampler::sample(std::span<const float> logits) {
  PLM_CHECK(static_cast<int64_t>(logits.size()) == state_->vocabulary_size);
  return state_->sample(logits);
}

void Sampler::accept_prompt(TokenId token) { state_->history.push_back(token); }

void Sampler::accept(TokenId token) {
  state_->history.push_back(token);
  if (state_->matcher && state_->matched.ok()) state_->matched = state_->matcher->accept(token);
}

void Sampler::begin_answer() {
  state_->matched = {};
  if (state_->matcher) state_->matcher->reset();
}

void Sampler::reset() {
  begin_answer();
  state_->history.clear();
  state_->random = RandomGenerator(state_->seed);
  state_->mirostat = Mirostat(state_->options.mirostat_tau, state_->options.mirostat_eta);
}

uint64_t Sampler::seed() const { return state_->seed; }
const SamplerOptions& Sampler::options() const { return state_->options; }

Result<TokenId> greedy_token(std::span<const float> logits) {
  PLM_TRY(const float max, check_logits(logits));
  return static_cast<TokenId>(std::find(logits.begin(), logits.end(), max) - logits.begin());
}

Result<TokenId> token_at_quantile(std::span<const float> logits, double u) {
  PLM_TRY(const double max, check_logits(logits));
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - max);
  const double target = u * sum;
  double cumulative = 0.0;
  TokenId last_possible = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double weight = std::exp(logits[i] - max);
    if (weight == 0.0) continue;
    cumulative += weight;
    last_possible = static_cast<TokenId>(i);
    if (cumulative > target) break;
  }
  return last_possible;
}

}  // namespace plm::runtime
