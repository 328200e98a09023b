#include "api/request.h"

#include <algorithm>
#include <array>
#include <limits>

#include "grammar/constraint.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"

namespace plm::api {

namespace {

// Whoever waits in a library waits until told otherwise.
constexpr std::chrono::hours kPatience{24 * 365};

runtime::SamplerOptions sampler_options(const GenerateOptions& options) {
  runtime::SamplerOptions made;
  made.seed = options.seed;
  made.temperature = options.temperature;
  made.top_k = options.top_k;
  made.top_p = options.top_p;
  made.min_p = options.min_p;
  made.typical_p = options.typical_p;
  made.repeat_last_n = options.repeat_last_n;
  made.repeat_penalty = options.repeat_penalty;
  made.presence_penalty = options.presence_penalty;
  made.frequency_penalty = options.frequency_penalty;
  made.logit_bias = options.logit_bias;
  return made;
}

// None where no grammar is asked for.
Result<std::optional<grammar::Grammar>> asked_grammar(const GenerateOptions& options) {
  const std::array texts = {&options.grammar, &options.json_schema, &options.regex};
  if (std::ranges::count_if(texts, [](const std::string* text) { return !text->empty(); }) > 1) {
    return make_error(ErrorKind::invalid_argument, "grammar, json_schema and regex exclude each other");
  }
  const auto named = [](const char* field,
                        Result<grammar::Grammar> made) -> Result<std::optional<grammar::Grammar>> {
    if (!made.ok()) return made.error().with_context(field);
    return std::optional(*std::move(made));
  };
  if (!options.grammar.empty()) return named("grammar", grammar::parse_gbnf(options.grammar));
  if (!options.json_schema.empty())
    return named("json_schema", grammar::parse_json_schema(options.json_schema));
  if (!options.regex.empty()) return named("regex", grammar::regex_grammar(options.regex));
  return std::optional<grammar::Grammar>();
}

}  // namespace

Result<std::vector<TokenId>> prompt_tokens(const Model::State& model, const Prompt& prompt,
                                           PromptOptions options) {
  if (const auto* ids = std::get_if<std::span<const TokenId>>(&prompt.source())) {
    return std::vector<TokenId>(ids->begin(), ids->end());
  }
  const auto& tokenizer = model.tokenizer();
  const auto capacity = static_cast<size_t>(model.engine->context_length());
  auto tokens =
      tokenizer.encode(std::get<std::string_view>(prompt.source()),
                       {.add_special = true, .parse_special = options.parse_special, .enough = 2 * capacity});
  if (tokens.size() > 2 * capacity) {
    return make_error(ErrorKind::invalid_argument,
                      "the prompt: found more than {} tokens, the context holds {}", 2 * capacity, capacity);
  }
  if (tokens.empty() && tokenizer.bos()) tokens.push_back(*tokenizer.bos());
  if (!tokens.empty()) return tokens;
  return make_error(ErrorKind::invalid_argument,
                    "the prompt is empty, and the model has no token to begin with");
}

Result<scheduler::Request> continuation(Model::State& model, std::vector<TokenId> tokens,
                                        const GenerateOptions& options) {
  scheduler::Request request;
  request.prompt = std::move(tokens);
  request.max_tokens = options.max_tokens;
  request.sampling = sampler_options(options);
  request.stop_texts = options.stop;
  request.n_top = options.n_top;
  request.shows_special = options.shows_special;
  // Who gives a seed wants to see the same again.
  request.reuse = options.seed ? scheduler::Reuse::exact : scheduler::Reuse::all;
  request.patience = kPatience;
  if (options.ignores_end) {
    for (const TokenId id : model.tokenizer().end_of_generation_ids()) {
      request.sampling.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
    }
  }
  PLM_TRY(const auto grammar, asked_grammar(options));
  if (grammar) {
    PLM_TRY(request.sampling.constraint, grammar::Constraint::create(*grammar, model.token_index()));
  }
  return request;
}

}  // namespace plm::api
