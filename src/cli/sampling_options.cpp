#include "cli/sampling_options.h"

#include <limits>

#include "runtime/sampler_text.h"

namespace plm::cli {

namespace {

CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                      const char* text) {
  return app.add_option(name, values, text)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace

void SamplingOptions::add_to(CLI::App& app) {
  const std::string group = "Sampling";
  const auto add = [&](const std::string& name, auto& value, const char* text, const char* type = "N") {
    app.add_option(name, value, text)->capture_default_str()->type_name(type)->group(group);
  };
  auto& o = options_;
  add("-s,--seed", seed_, "seed of the random numbers; -1: another each time");
  add("--temp,--temperature", o.temperature, "temperature; 0: always the most likely token");
  add("--top-k", o.top_k, "only the K most likely; 0: off");
  add("--top-p", o.top_p, "only the most likely that sum to P; 1: off");
  add("--min-p", o.min_p, "only those at least P times as likely as the first; 0: off");
  add("--typical,--typical-p", o.typical_p,
      "only the nearest to the expected surprise that sum to P; 1: off");
  add("--top-n-sigma,--top-nsigma", o.top_n_sigma, "only logits within N deviations of the best; -1: off");
  add("--xtc-probability", o.xtc_probability, "chance of leaving out the top choices; 0: off");
  add("--xtc-threshold", o.xtc_threshold, "what counts as a top choice for XTC");
  add("--repeat-last-n", o.repeat_last_n, "tokens the penalties look back on; 0: off, -1: all");
  add("--repeat-penalty", o.repeat_penalty, "penalty of tokens used before; 1: off");
  add("--presence-penalty", o.presence_penalty, "taken once from the logit of a token used before");
  add("--frequency-penalty", o.frequency_penalty, "taken for each use of the token");
  add("--dry-multiplier", o.dry_multiplier, "strength of DRY, against repeated sequences; 0: off");
  add("--dry-base", o.dry_base, "growth of DRY with each repeated token");
  add("--dry-allowed-length", o.dry_allowed_length, "repetitions DRY leaves alone");
  add("--dry-penalty-last-n", o.dry_penalty_last_n, "tokens DRY looks back on; 0: off, -1: all");
  add_list(
      app, "--dry-sequence-breaker", dry_breakers_,
      "text that ends a sequence for DRY, may be given often; \"none\" for none (default: newline : \" *)")
      ->type_name("TEXT")
      ->group(group);
  add("--mirostat", o.mirostat, "2: mirostat 2 in place of the other samplers; 0: off");
  add("--mirostat-lr", o.mirostat_eta, "learning rate of mirostat (eta)");
  add("--mirostat-ent", o.mirostat_tau, "surprise that mirostat aims at, in bits (tau)");
  add_list(app, "-l,--logit-bias", logit_biases_,
           "ID+BIAS or ID-BIAS, added to the logit of a token; may be given often")
      ->type_name("ID+BIAS")
      ->group(group);
  add("--samplers", chain_names_,
      "the samplers in their order (default: "
      "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature)",
      "NAMES");
  add("--sampler-seq,--sampling-seq", chain_letters_, "the same by letters (default: edskypmxt)", "LETTERS");
  app.add_flag("--ignore-eos", ignore_eos_, "never choose a token that ends the text")->group(group);
}

Result<runtime::SamplerOptions> SamplingOptions::make_options(const tokenizer::Tokenizer& tokenizer) const {
  runtime::SamplerOptions options = options_;
  if (seed_ >= 0) options.seed = static_cast<uint64_t>(seed_);
  if (!chain_names_.empty()) {
    PLM_TRY(options.chain, runtime::parse_sampler_chain(chain_names_));
  } else if (!chain_letters_.empty()) {
    PLM_TRY(options.chain, runtime::parse_sampler_letters(chain_letters_));
  }
  for (const std::string& text : logit_biases_) {
    PLM_TRY(const auto bias, runtime::parse_logit_bias(text));
    options.logit_bias.push_back(bias);
  }
  if (ignore_eos_) {
    for (const auto id : tokenizer.end_of_generation_ids()) {
      options.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
    }
  }
  if (options.dry_multiplier != 0.0f) {
    std::vector<std::string> breakers =
        dry_breakers_.empty() ? runtime::default_dry_breakers() : dry_breakers_;
    std::erase(breakers, "none");
    options.dry_breakers = runtime::find_dry_breakers(tokenizer, breakers);
  }
  return options;
}

Result<runtime::Sampler> SamplingOptions::make_sampler(
    const tokenizer::Tokenizer& tokenizer, std::shared_ptr<const grammar::Constraint> constraint) const {
  PLM_TRY(auto options, make_options(tokenizer));
  options.constraint = std::move(constraint);
  return runtime::Sampler::create(std::move(options), static_cast<int64_t>(tokenizer.vocabulary_size()));
}

}  // namespace plm::cli
