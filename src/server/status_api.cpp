// What the server tells of itself: /health, /v1/models, /props, /metrics.
#include <iterator>

#include "server/api.h"

namespace plm::server {

void Api::health(Exchange& exchange) const { exchange.send(200, {{"status", "ok"}}); }

Json Api::model_json() const {
  const runtime::Engine& engine = scheduler_.engine();
  return {{"id", options_.model_name},
          {"object", "model"},
          {"created", started_},
          {"owned_by", "plm"},
          {"meta",
           {{"n_vocab", engine.config().vocabulary_size},
            {"n_ctx", engine.context_length()},
            {"n_ctx_train", engine.config().context_length},
            {"n_embd", engine.config().width}}}};
}

void Api::models(Exchange& exchange) const {
  exchange.send(200, {{"object", "list"}, {"data", Json::array({model_json()})}});
}

void Api::model(Exchange& exchange) const {
  const std::string_view name =
      std::string_view(exchange.request.head.path).substr(std::string_view("/v1/models/").size());
  if (name != options_.model_name) return exchange.fail(404, "there is no model of this name");
  exchange.send(200, model_json());
}

namespace {

Json sampling_json(const runtime::SamplerOptions& o) {
  Json samplers = Json::array();
  for (const auto stage : o.chain) samplers.push_back(runtime::sampler_stage_name(stage));
  return {{"seed", o.seed ? Json(*o.seed) : Json(-1)},
          {"temperature", o.temperature},
          {"top_k", o.top_k},
          {"top_p", o.top_p},
          {"min_p", o.min_p},
          {"top_n_sigma", o.top_n_sigma},
          {"xtc_probability", o.xtc_probability},
          {"xtc_threshold", o.xtc_threshold},
          {"typical_p", o.typical_p},
          {"repeat_last_n", o.repeat_last_n},
          {"repeat_penalty", o.repeat_penalty},
          {"presence_penalty", o.presence_penalty},
          {"frequency_penalty", o.frequency_penalty},
          {"dry_multiplier", o.dry_multiplier},
          {"dry_base", o.dry_base},
          {"dry_allowed_length", o.dry_allowed_length},
          {"dry_penalty_last_n", o.dry_penalty_last_n},
          {"mirostat", o.mirostat},
          {"mirostat_tau", o.mirostat_tau},
          {"mirostat_eta", o.mirostat_eta},
          {"samplers", std::move(samplers)}};
}

}  // namespace

void Api::adapters(Exchange& exchange) const {
  Json list = Json::array();
  for (const AdapterInfo& adapter : options_.adapters) {
    list.push_back({{"id", list.size()}, {"path", adapter.path}, {"scale", adapter.scale}});
  }
  exchange.send(200, list);
}

// They are part of the loaded matrices, and rows of earlier prompts are kept that were made with them.
void Api::change_adapters(Exchange& exchange) const {
  exchange.reply.add_header("Allow", "GET");
  exchange.fail(405,
                "the scales of adapters cannot be changed while the server runs: start it with "
                "--lora-scaled FILE SCALE");
}

void Api::change_props(Exchange& exchange) const {
  exchange.reply.add_header("Allow", "GET");
  exchange.fail(405,
                "no property can be changed while the server runs: a request may say otherwise, or the "
                "options the server is started with");
}

void Api::props(Exchange& exchange) const {
  const runtime::Engine& engine = scheduler_.engine();
  const bool drafts = scheduler_.options().drafter != nullptr;
  const auto text_of = [&](std::optional<tokenizer::TokenId> id) {
    return id ? std::string(tokenizer().token_text(*id)) : std::string();
  };
  Json params = sampling_json(options_.sampling);
  params.update({{"n_predict", options_.max_tokens},
                 {"max_tokens", options_.max_tokens},
                 {"speculative.n_max", drafts ? scheduler_.options().drafts.n_max : 0},
                 {"speculative.n_min", scheduler_.options().drafts.n_min},
                 {"speculative.p_min", scheduler_.options().drafts.p_min}});
  exchange.send(200, {{"default_generation_settings",
                       {{"n_ctx", engine.context_length()}, {"params", std::move(params)}}},
                      {"total_slots", scheduler_.options().n_slots},
                      {"model_alias", options_.model_name},
                      {"model_path", options_.model_path},
                      {"modalities", {{"vision", false}, {"audio", false}}},
                      {"endpoint_slots", options_.shows_slots},
                      {"endpoint_metrics", options_.shows_metrics},
                      {"chat_template", template_.source()},
                      {"bos_token", text_of(tokenizer().bos())},
                      {"eos_token", text_of(tokenizer().eos())},
                      {"build_info", build_info()},
                      {"cache",
                       {{"type", tensor_type_name(engine.cache_type())},
                        {"bytes_per_token", engine.cache_bytes_per_token()}}}});
}

void Api::metrics(Exchange& exchange) const {
  if (!options_.shows_metrics) return exchange.fail(501, "metrics are not kept here (--metrics)");
  const scheduler::Snapshot now = scheduler_.snapshot();
  const scheduler::Counters& c = now.counters;
  std::string text;
  const auto add = [&](std::string_view kind, std::string_view name, std::string_view help, auto value) {
    fmt::format_to(std::back_inserter(text),
                   "# HELP llamacpp:{0} {1}\n# TYPE llamacpp:{0} {2}\nllamacpp:{0} {3}\n", name, help, kind,
                   value);
  };
  const auto rate = [](int64_t n, double seconds) {
    return seconds > 0 ? static_cast<double>(n) / seconds : 0.0;
  };
  add("counter", "prompt_tokens_total", "Prompt tokens run, without those taken from the cache.",
      c.n_prompt_tokens);
  add("counter", "prompt_seconds_total", "Seconds of steps of prompts.", c.prompt_seconds);
  add("counter", "tokens_predicted_total", "Tokens of answers.", c.n_answer_tokens);
  add("counter", "tokens_predicted_seconds_total", "Seconds of steps of answers.", c.answer_seconds);
  add("counter", "n_decode_total", "Steps of the model.", c.n_steps);
  add("counter", "prompt_tokens_cached_total", "Prompt tokens taken from the cache.", c.n_reused_tokens);
  add("counter", "spec_decode_num_drafts_total", "Steps of answers that checked a draft.", c.drafts.n_steps);
  add("counter", "spec_decode_num_draft_tokens_total", "Tokens guessed.", c.drafts.n_drafted);
  add("counter", "spec_decode_num_accepted_tokens_total", "Tokens guessed that came true.",
      c.drafts.n_accepted);
  add("gauge", "n_busy_slots_per_decode", "Sequences in a step, on average.",
      rate(c.n_busy_slots, static_cast<double>(c.n_steps)));
  add("gauge", "prompt_tokens_seconds", "Prompt tokens a second.", rate(c.n_prompt_tokens, c.prompt_seconds));
  add("gauge", "predicted_tokens_seconds", "Tokens of answers a second.",
      rate(c.n_answer_tokens, c.answer_seconds));
  add("gauge", "requests_processing", "Answers under way.", now.n_running);
  add("gauge", "requests_deferred", "Requests that wait for a slot.", now.n_waiting);
  add("gauge", "n_tokens_max", "The longest sequence so far.", c.most_tokens);
  add("gauge", "prefix_cache_bytes", "Bytes of rows kept of earlier prompts.", now.prefix_bytes);
  exchange.reply.send(200, "text/plain; version=0.0.4; charset=utf-8", text);
}

}  // namespace plm::server
