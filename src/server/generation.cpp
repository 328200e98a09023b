#include "server/generation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "runtime/sampler_text.h"

namespace plm::server {

namespace {

using tokenizer::TokenId;
using tokenizer::Tokenizer;

// A field of the sampler and its range.
Status read_float(const Fields& fields, std::string_view name, float& value, double least, double most) {
  PLM_TRY(const double number, fields.number(name, static_cast<double>(value), least, most));
  value = static_cast<float>(number);
  return {};
}
Status read_int(const Fields& fields, std::string_view name, int32_t& value, int64_t least, int64_t most) {
  PLM_TRY(const int64_t number, fields.integer(name, value, least, most));
  value = static_cast<int32_t>(number);
  return {};
}

Status read_samplers(const Fields& fields, runtime::SamplerOptions& o) {
  const Json* value = fields.find("samplers");
  if (value == nullptr) return {};
  if (value->is_string()) {
    PLM_TRY(o.chain, runtime::parse_sampler_letters(value->get_ref<const std::string&>()));
    return {};
  }
  if (!value->is_array() || value->size() > 64) return fields.wrong("samplers", "a list of sampler names");
  o.chain.clear();
  for (const Json& name : *value) {
    if (!name.is_string()) return fields.wrong("samplers", "a list of sampler names");
    PLM_TRY(const auto stages, runtime::parse_sampler_chain(name.get_ref<const std::string&>()));
    if (stages.size() != 1) return fields.wrong("samplers", "a list of sampler names");
    o.chain.push_back(stages.front());
  }
  return {};
}

Status read_sampling(const Fields& fields, runtime::SamplerOptions& o, const Tokenizer& tokenizer) {
  constexpr int64_t kTokens = 1 << 24;
  PLM_TRY_STATUS(read_float(fields, "temperature", o.temperature, 0, 100));
  PLM_TRY_STATUS(read_int(fields, "top_k", o.top_k, -1, kTokens));
  PLM_TRY_STATUS(read_float(fields, "top_p", o.top_p, 0, 1));
  PLM_TRY_STATUS(read_float(fields, "min_p", o.min_p, 0, 1));
  PLM_TRY_STATUS(read_float(fields, "typical_p", o.typical_p, 0, 1));
  PLM_TRY_STATUS(read_float(fields, "top_n_sigma", o.top_n_sigma, -1, 1000));
  PLM_TRY_STATUS(read_float(fields, "xtc_probability", o.xtc_probability, 0, 1));
  PLM_TRY_STATUS(read_float(fields, "xtc_threshold", o.xtc_threshold, 0, 1));
  PLM_TRY_STATUS(read_int(fields, "repeat_last_n", o.repeat_last_n, -1, kTokens));
  PLM_TRY_STATUS(read_float(fields, "repeat_penalty", o.repeat_penalty, 0.01, 100));
  PLM_TRY_STATUS(read_float(fields, "presence_penalty", o.presence_penalty, -100, 100));
  PLM_TRY_STATUS(read_float(fields, "frequency_penalty", o.frequency_penalty, -100, 100));
  PLM_TRY_STATUS(read_float(fields, "dry_multiplier", o.dry_multiplier, 0, 100));
  PLM_TRY_STATUS(read_float(fields, "dry_base", o.dry_base, 1, 100));
  PLM_TRY_STATUS(read_int(fields, "dry_allowed_length", o.dry_allowed_length, 0, kTokens));
  PLM_TRY_STATUS(read_int(fields, "dry_penalty_last_n", o.dry_penalty_last_n, -1, kTokens));
  PLM_TRY_STATUS(read_int(fields, "mirostat", o.mirostat, 0, 2));
  PLM_TRY_STATUS(read_float(fields, "mirostat_tau", o.mirostat_tau, 0, 1000));
  PLM_TRY_STATUS(read_float(fields, "mirostat_eta", o.mirostat_eta, 0, 1000));
  PLM_TRY_STATUS(read_samplers(fields, o));
  if (o.dry_multiplier != 0.0F && o.dry_breakers.empty()) {
    o.dry_breakers = runtime::find_dry_breakers(tokenizer, runtime::default_dry_breakers());
  }
  return {};
}

Result<float> read_bias(const Fields& fields, const Json& value) {
  if (value.is_boolean() && !value.get<bool>()) return -std::numeric_limits<float>::infinity();
  const double bias = value.is_number() ? value.get<double>() : 1e9;
  if (!(std::abs(bias) <= 1e6)) return fields.wrong("logit_bias", "numbers from -1e6 to 1e6, or false");
  // OpenAI's -100 bans a token.
  return bias <= -100 ? -std::numeric_limits<float>::infinity() : static_cast<float>(bias);
}

// The tokens that a pair of logit_bias is about: an id, or a text.
Result<std::vector<TokenId>> read_biased(const Fields& fields, const Json& whose,
                                         const Tokenizer& tokenizer) {
  if (whose.is_string() && whose.get_ref<const std::string&>().size() <= kMaxStopBytes) {
    return tokenizer.encode(whose.get_ref<const std::string&>(),
                            {.add_special = false, .parse_special = true});
  }
  const int64_t id = whole_number(whose).value_or(-1);
  if (id < 0 || id >= static_cast<int64_t>(tokenizer.vocabulary_size())) {
    return fields.wrong("logit_bias", fmt::format("token ids from 0 to {}, or texts of at most {} bytes",
                                                  tokenizer.vocabulary_size() - 1, kMaxStopBytes));
  }
  return std::vector<TokenId>{static_cast<TokenId>(id)};
}

// OpenAI's {"id": bias} and llama.cpp's [[id, bias], ["text", bias], ...], where a text stands for its
// tokens.
Status read_logit_bias(const Fields& fields, runtime::SamplerOptions& o, const Tokenizer& tokenizer) {
  const Json* value = fields.find("logit_bias");
  if (value == nullptr) return {};
  const std::string expected =
      fmt::format("at most {} pairs of a token id or a text and a number", kMaxBiases);
  if (!(value->is_object() || value->is_array()) || std::ssize(*value) > kMaxBiases) {
    return fields.wrong("logit_bias", expected);
  }
  for (const auto& item : value->items()) {
    Json whose;
    const Json* bias = &item.value();
    if (value->is_object()) {
      const std::string& key = item.key();
      int64_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size()) return fields.wrong("logit_bias", expected);
      whose = id;
    } else {
      const bool is_pair = bias->is_array() && bias->size() == 2;
      if (!is_pair) return fields.wrong("logit_bias", expected);
      whose = (*bias)[0];
      bias = &(*bias)[1];
    }
    PLM_TRY(const auto ids, read_biased(fields, whose, tokenizer));
    PLM_TRY(const float number, read_bias(fields, *bias));
    for (const TokenId id : ids) o.logit_bias.emplace_back(id, number);
  }
  return {};
}

Status read_stop(const Fields& fields, std::vector<std::string>& texts) {
  const Json* value = fields.find("stop");
  if (value == nullptr) return {};
  const std::string expected =
      fmt::format("a string, or at most {} of them, each of at most {} bytes", kMaxStopTexts, kMaxStopBytes);
  const Json list = value->is_string() ? Json::array({*value}) : *value;
  if (!list.is_array() || std::ssize(list) > kMaxStopTexts) return fields.wrong("stop", expected);
  for (const Json& text : list) {
    if (!text.is_string() || text.get_ref<const std::string&>().size() > kMaxStopBytes) {
      return fields.wrong("stop", expected);
    }
    texts.push_back(text.get<std::string>());
  }
  return {};
}

// As llama.cpp's server has them. What is not said is as the server was started.
Status read_drafts(const Fields& fields, scheduler::DraftLimits& limits) {
  const auto read_count = [&](std::string_view name, std::optional<int64_t>& count) -> Status {
    if (!fields.has(name)) return {};
    PLM_TRY(count, fields.integer(name, 0, 0, kMaxDraft));
    return {};
  };
  PLM_TRY_STATUS(read_count("speculative.n_max", limits.n_max));
  PLM_TRY_STATUS(read_count("speculative.n_min", limits.n_min));
  if (!fields.has("speculative.p_min")) return {};
  PLM_TRY(const double p_min, fields.number("speculative.p_min", 0, 0, 1));
  limits.p_min = static_cast<float>(p_min);
  return {};
}

// max_completion_tokens, max_tokens and llama.cpp's n_predict are one.
Status read_length(const Fields& fields, int64_t& max_tokens) {
  for (const std::string_view name : {"n_predict", "max_tokens", "max_completion_tokens"}) {
    PLM_TRY(max_tokens, fields.integer(name, max_tokens, -1, INT32_MAX));
  }
  return {};
}

}  // namespace

Result<Generation> read_generation(const Fields& fields, const runtime::SamplerOptions& defaults,
                                   const Tokenizer& tokenizer) {
  Generation made;
  scheduler::Request& request = made.request;
  request.sampling = defaults;
  PLM_TRY_STATUS(read_sampling(fields, request.sampling, tokenizer));
  PLM_TRY_STATUS(read_logit_bias(fields, request.sampling, tokenizer));
  PLM_TRY_STATUS(read_stop(fields, request.stop_texts));
  PLM_TRY_STATUS(read_length(fields, request.max_tokens));
  PLM_TRY_STATUS(read_drafts(fields, request.drafts));
  PLM_TRY(made.n, fields.integer("n", 1, 1, kMaxChoices));
  PLM_TRY(const int64_t best_of, fields.integer("best_of", made.n, 1, kMaxChoices));
  if (best_of != made.n)
    return make_error(ErrorKind::unsupported, "field best_of: only the value of n is supported");
  if (const Json* scales = fields.find("lora"); scales != nullptr && !scales->empty()) {
    return make_error(ErrorKind::unsupported,
                      "field lora: all requests run with the adapters the server was started with");
  }
  PLM_TRY(made.streams, fields.boolean("stream", false));
  if (const Json* options = fields.find("stream_options"); options != nullptr) {
    if (!options->is_object()) return fields.wrong("stream_options", "an object");
    PLM_TRY(made.includes_usage, Fields(*options, "stream_options.").boolean("include_usage", false));
  }
  PLM_TRY(const bool reuses, fields.boolean("cache_prompt", true));
  if (fields.has("seed")) {
    PLM_TRY(const int64_t seed, fields.integer("seed", -1, INT64_MIN, INT64_MAX));
    if (seed == -1) {
      request.sampling.seed.reset();
    } else {
      request.sampling.seed = static_cast<uint64_t>(seed);
    }
  }
  // Who gives a seed wants to see the same again.
  request.reuse = !reuses                             ? scheduler::Reuse::none
                  : request.sampling.seed.has_value() ? scheduler::Reuse::exact
                                                      : scheduler::Reuse::all;
  PLM_TRY(const bool ignores_end, fields.boolean("ignore_eos", false));
  if (ignores_end) {
    for (const TokenId id : tokenizer.end_of_generation_ids()) {
      request.sampling.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
    }
  }
  return made;
}

scheduler::Request choice_request(const Generation& generation, std::vector<TokenId> prompt, int64_t k) {
  scheduler::Request request = generation.request;
  request.prompt = std::move(prompt);
  if (request.sampling.seed) *request.sampling.seed += static_cast<uint64_t>(k);
  return request;
}

Result<std::vector<TokenId>> read_token_ids(const Json& array, std::string_view name,
                                            const Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  const auto n = static_cast<int64_t>(tokenizer.vocabulary_size());
  for (const Json& value : array) {
    const auto id = whole_number(value);
    if (!id || *id < 0 || *id >= n) {
      return make_error(ErrorKind::invalid_argument, "field {}: found {}, expected token ids from 0 to {}",
                        name, described(value), n - 1);
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

}  // namespace plm::server
