#include "server/openapi_schemas.h"

#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"
#include "runtime/sampler.h"
#include "server/generation.h"
#include "server/schema_terms.h"

namespace plm::server {

namespace {

using namespace schema;  // NOLINT(google-build-using-namespace): its words are what this file is written in

constexpr int64_t kTokens = 1 << 24;

// What the answer may look like: one of these says it. Which grammars and schemas are understood is more than
// a schema can say (docs/formats/grammar.md).
Json form_fields() {
  const Json named = object({{"schema", json_schema()}});
  return {
      {"grammar", text(0, grammar::kMaxSourceBytes)},
      {"regex", text(0, grammar::kMaxPatternBytes)},
      {"json_schema", json_schema()},
      {"response_format", any_of({object({{"type", constant("text")}}),
                                  object({{"type", constant("json_object")}}, {{"schema", json_schema()}}),
                                  object({{"type", constant("json_schema")}, {"json_schema", named}})})}};
}

// The names of samplers in their order, or their letters.
Json sampler_chain() {
  Json names = Json::array();
  for (const auto stage : runtime::default_sampler_chain())
    names.push_back(runtime::sampler_stage_name(stage));
  std::string letters;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    if (runtime::parse_sampler_letters({&letter, 1}).ok()) letters += letter;
  }
  return any_of({list(one_of_words(std::move(names)), 0, 64),
                 {{"type", "string"}, {"pattern", fmt::format("^[{}]*$", letters)}}});
}

// The fields of read_generation().
Json generation_fields(const SchemaLimits& limits) {
  const Json stop = {{"type", "string"}, {"maxLength", kMaxStopBytes}};
  const Json id = whole(0, limits.vocabulary_size - 1);
  const Json bias = any_of({real(-1e6, 1e6), {{"const", false}}});
  Json pair = list(Json::object(), 2, 2);
  pair["prefixItems"] = {any_of({id, stop}), bias};
  pair.erase("items");
  const Json biases = {{"type", "object"},
                       {"propertyNames", {{"pattern", "^[0-9]+$"}}},
                       {"additionalProperties", bias},
                       {"maxProperties", kMaxBiases}};
  return {{"model", {{"description", "passed over: there is one"}}},
          {"max_tokens", whole(-1, INT32_MAX)},
          {"max_completion_tokens", whole(-1, INT32_MAX)},
          {"n_predict", whole(-1, INT32_MAX)},
          {"temperature", real(0, 100)},
          {"top_k", whole(-1, kTokens)},
          {"top_p", real(0, 1)},
          {"min_p", real(0, 1)},
          {"typical_p", real(0, 1)},
          {"top_n_sigma", real(-1, 1000)},
          {"xtc_probability", real(0, 1)},
          {"xtc_threshold", real(0, 1)},
          {"repeat_penalty", real(0.01, 100)},
          {"repeat_last_n", whole(-1, kTokens)},
          {"presence_penalty", real(-100, 100)},
          {"frequency_penalty", real(-100, 100)},
          {"dry_multiplier", real(0, 100)},
          {"dry_base", real(1, 100)},
          {"dry_allowed_length", whole(0, kTokens)},
          {"dry_penalty_last_n", whole(-1, kTokens)},
          {"mirostat", {{"enum", {0, 2}}}},
          {"mirostat_tau", real(0, 1000)},
          {"mirostat_eta", real(0, 1000)},
          {"samplers", sampler_chain()},
          {"speculative.n_max", whole(0, kMaxDraft)},
          {"speculative.n_min", whole(0, kMaxDraft)},
          {"speculative.p_min", real(0, 1)},
          {"seed", whole(INT64_MIN, INT64_MAX)},
          {"stop", any_of({stop, list(stop, 0, kMaxStopTexts)})},
          {"logit_bias", any_of({biases, list(pair, 0, kMaxBiases)})},
          {"stream", flag()},
          {"stream_options", object(Json::object(), {{"include_usage", flag()}})},
          {"cache_prompt", flag()},
          {"ignore_eos", flag()}};
}

Json prompt_forms(const SchemaLimits& limits) {
  const Json ids = list(whole(0, limits.vocabulary_size - 1), 1, INT32_MAX);
  return any_of({text(), ids, list(any_of({text(), ids}), 1, kMaxPrompts)});
}

Json usage() {
  return object({{"prompt_tokens", whole()},
                 {"completion_tokens", whole()},
                 {"total_tokens", whole()},
                 {"prompt_tokens_details", object({{"cached_tokens", whole()}})},
                 {"completion_tokens_details", object({{"reasoning_tokens", whole()}})}});
}

// The envelope of /v1/completions and /v1/chat/completions.
Json completion(std::string_view object_name, Json choice) {
  choice["index"] = whole();
  choice["finish_reason"] = one_of_words({"stop", "length", "tool_calls"});
  choice["logprobs"] = or_null(of_type("object"));
  return object({{"id", text()},
                 {"object", constant(object_name)},
                 {"created", whole()},
                 {"model", text()},
                 {"system_fingerprint", text()},
                 {"choices", list(object(std::move(choice)))},
                 {"usage", usage()},
                 {"timings", of_type("object")}});
}

}  // namespace

Json json_schema() { return any_of({any_object(), {{"const", true}}}); }

Json request_schemas(const SchemaLimits& limits) {
  const Json fields = with(generation_fields(limits), form_fields());
  const Json of_completion = {
      {"n", whole(1, kMaxChoices)}, {"echo", flag()}, {"logprobs", whole(0, kMaxTopLogprobs)}};
  const Json with_norm = {{"embd_normalize", {{"enum", {-1, 2}}}}};
  Json schemas = {
      {"CompletionRequest", object({{"prompt", prompt_forms(limits)}}, with(fields, of_completion))},
      {"NativeRequest",
       object({{"prompt", prompt_forms(limits)}}, with(fields, {{"n", whole(1, kMaxChoices)},
                                                                {"n_probs", whole(0, kMaxTopLogprobs)},
                                                                {"return_tokens", flag()}}))},
      {"EmbeddingsRequest",
       object({{"input", prompt_forms(limits)}}, {{"encoding_format", one_of_words({"float", "base64"})}})},
      {"NativeEmbeddingsRequest", any_of({object({{"content", prompt_forms(limits)}}, with_norm),
                                          object({{"input", prompt_forms(limits)}}, with_norm)})},
      {"TokenizeRequest",
       object({{"content", text()}},
              {{"add_special", flag()}, {"parse_special", flag()}, {"with_pieces", flag()}})},
      {"DetokenizeRequest", object({{"tokens", list(whole(0, limits.vocabulary_size - 1))}})},
      {"SlotRequest",
       object(Json::object(),
              {{"filename",
                {{"type", "string"}, {"pattern", "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"}, {"maxLength", 128}}}})}};
  schemas.update(chat_request_schemas(limits, fields));
  schemas.update(ollama_request_schemas(limits, fields, schemas));
  return schemas;
}

Json reply_schemas() {
  const Json call = object({{"id", text()},
                            {"type", constant("function")},
                            {"function", object({{"name", text()}, {"arguments", text()}})}});
  Json message = object({{"role", constant("assistant")}, {"content", or_null(text())}});
  message["properties"]["tool_calls"] = list(call);
  const Json token =
      any_of({whole(), object({{"id", whole()}, {"piece", any_of({text(), list(whole(0, 255))})}})});
  const Json model =
      object({{"id", text()}, {"object", constant("model")}, {"created", whole()}, {"owned_by", text()}});
  const Json native = object({{"index", whole()},
                              {"content", text()},
                              {"tokens", list(whole())},
                              {"prompt", text()},
                              {"has_new_line", flag()},
                              {"stop", flag()},
                              {"stop_type", one_of_words({"eos", "word", "limit"})},
                              {"stopping_word", text()},
                              {"tokens_predicted", whole()},
                              {"tokens_evaluated", whole()},
                              {"tokens_cached", whole()},
                              {"timings", of_type("object")}});
  Json schemas = {
      {"NativeCompletion", any_of({native, list(native)})},
      {"Error", object({{"error", object({{"code", whole()}, {"message", text()}, {"type", text()}})}})},
      {"Event", object({{"data", text()}}, {{"event", text()}})},
      {"Completion", completion("text_completion", {{"text", text()}})},
      {"ChatCompletion", completion("chat.completion", {{"message", std::move(message)}})},
      {"Embeddings", object({{"object", constant("list")},
                             {"data", list(object({{"object", constant("embedding")},
                                                   {"index", whole()},
                                                   {"embedding", any_of({list(real()), text()})}}))},
                             {"model", text()},
                             {"usage", object({{"prompt_tokens", whole()}, {"total_tokens", whole()}})}})},
      {"Tokens", object({{"tokens", list(token)}, {"count", whole()}, {"max_model_len", whole()}})},
      {"Text", object({{"content", text()}, {"prompt", text()}})},
      {"Prompt", object({{"prompt", text()}})},
      {"TokenizerInfo", object({{"tokenizer_class", text()},
                                {"bos_token", or_null(text())},
                                {"eos_token", or_null(text())},
                                {"pad_token", or_null(text())},
                                {"chat_template", text()}})},
      {"Models", object({{"object", constant("list")}, {"data", list(model)}})},
      {"Model", model},
      {"NativeEmbeddings", list(object({{"index", whole()}, {"embedding", list(list(real()))}}))},
      {"Health", object({{"status", constant("ok")}})},
      {"Properties", object({{"default_generation_settings", of_type("object")},
                             {"total_slots", whole()},
                             {"model_alias", text()},
                             {"model_path", text()},
                             {"modalities", of_type("object")},
                             {"chat_template", text()},
                             {"bos_token", text()},
                             {"eos_token", text()},
                             {"build_info", text()}})},
      {"Adapters", list(object({{"id", whole()}, {"path", text()}, {"scale", real()}}))},
      {"SlotResult", object({{"id_slot", whole()}})},
      {"Slots",
       list(
           object({{"id", whole()}, {"n_ctx", whole()}, {"is_processing", flag()}, {"n_tokens", whole()}}))}};
  schemas.update(chat_reply_schemas());
  schemas.update(ollama_reply_schemas());
  return schemas;
}

}  // namespace plm::server
