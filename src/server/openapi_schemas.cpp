#include "server/openapi_schemas.h"

#include "server/generation.h"

namespace plm::server {

namespace {

Json of_type(std::string_view type) { return {{"type", type}}; }
Json text() { return of_type("string"); }
Json whole() { return of_type("integer"); }
Json real() { return of_type("number"); }
Json flag() { return of_type("boolean"); }
Json constant(std::string_view value) { return {{"const", value}}; }
Json one_of_words(Json words) { return {{"type", "string"}, {"enum", std::move(words)}}; }
Json any_of(Json schemas) { return {{"anyOf", std::move(schemas)}}; }
Json or_null(Json schema) { return any_of({std::move(schema), of_type("null")}); }

Json whole(int64_t least, int64_t most) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}};
}
Json real(double least, double most) { return {{"type", "number"}, {"minimum", least}, {"maximum", most}}; }
Json list(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json list(Json items, int64_t least, int64_t most) {
  Json json = list(std::move(items));
  json["minItems"] = least;
  json["maxItems"] = most;
  return json;
}
Json object(Json required) {
  Json names = Json::array();
  for (const auto& field : required.items()) names.push_back(field.key());
  return {{"type", "object"}, {"properties", std::move(required)}, {"required", std::move(names)}};
}
Json object(Json required, const Json& optional) {
  Json json = object(std::move(required));
  for (const auto& field : optional.items()) json["properties"][field.key()] = or_null(field.value());
  return json;
}

constexpr int64_t kTokens = 1 << 24;

// The fields of read_generation().
Json generation_fields(const SchemaLimits& limits) {
  const Json id = whole(0, limits.vocabulary_size - 1);
  const Json bias = any_of({real(-1e6, 1e6), {{"const", false}}});
  Json pair = list(Json::object(), 2, 2);
  pair["prefixItems"] = {id, bias};
  pair.erase("items");
  const Json biases = {{"type", "object"},
                       {"propertyNames", {{"pattern", "^[0-9]+$"}}},
                       {"additionalProperties", bias},
                       {"maxProperties", kMaxBiases}};
  const Json stop = {{"type", "string"}, {"maxLength", kMaxStopBytes}};
  return {{"model", {{"description", "passed over: there is one"}}},
          {"max_tokens", whole(-1, INT32_MAX)},
          {"max_completion_tokens", whole(-1, INT32_MAX)},
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
          {"seed", whole(INT64_MIN, INT64_MAX)},
          {"stop", any_of({stop, list(stop, 0, kMaxStopTexts)})},
          {"logit_bias", any_of({biases, list(pair, 0, kMaxBiases)})},
          {"stream", flag()},
          {"stream_options", object(Json::object(), {{"include_usage", flag()}})},
          {"cache_prompt", flag()},
          {"ignore_eos", flag()}};
}

Json with(Json fields, const Json& more) {
  fields.update(more);
  return fields;
}

Json prompt_forms(const SchemaLimits& limits) {
  const Json ids = list(whole(0, limits.vocabulary_size - 1), 1, INT32_MAX);
  return any_of({text(), ids, list(any_of({text(), ids}), 1, kMaxPrompts)});
}

// Which schemas of answers are supported is more than a schema can say, so they are described alone.
Json response_format() {
  Json json = object({{"type", one_of_words({"text", "json_object"})}});
  json["description"] = "or {\"type\": \"json_schema\", \"json_schema\": {\"schema\": ..}}";
  return json;
}

Json messages() { return list(schema_ref("Message"), 1, 4000); }

Json usage() {
  return object({{"prompt_tokens", whole()},
                 {"completion_tokens", whole()},
                 {"total_tokens", whole()},
                 {"prompt_tokens_details", object({{"cached_tokens", whole()}})}});
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
                 {"choices", list(object(std::move(choice)))},
                 {"usage", usage()},
                 {"timings", of_type("object")}});
}

}  // namespace

Json schema_ref(std::string_view name) { return {{"$ref", fmt::format("#/components/schemas/{}", name)}}; }

Json request_schemas(const SchemaLimits& limits) {
  const Json part = object({{"type", one_of_words({"text", "input_text", "output_text"})}, {"text", text()}});
  const Json content = any_of({text(), list(part)});
  const Json fields = generation_fields(limits);
  Json response_fields = fields;  // max_output_tokens alone says how long an answer may be
  for (const char* name : {"max_tokens", "max_completion_tokens"}) response_fields.erase(name);
  const Json fields_of_n = with(fields, {{"n", whole(1, kMaxChoices)}});
  return {
      {"Message", object({{"role", one_of_words({"system", "developer", "user", "assistant", "tool"})},
                          {"content", content}})},
      {"CompletionRequest",
       object({{"prompt", prompt_forms(limits)}},
              with(fields_of_n, {{"echo", flag()}, {"logprobs", whole(0, kMaxTopLogprobs)}}))},
      {"ChatRequest",
       object({{"messages", messages()}}, with(fields_of_n, {{"logprobs", flag()},
                                                             {"top_logprobs", whole(0, kMaxTopLogprobs)},
                                                             {"response_format", response_format()}}))},
      {"EmbeddingsRequest",
       object({{"input", prompt_forms(limits)}}, {{"encoding_format", one_of_words({"float", "base64"})}})},
      {"ResponseRequest",
       object({{"input", any_of({text(), messages()})}},
              with(response_fields, {{"instructions", text()}, {"max_output_tokens", whole(1, INT32_MAX)}}))},
      {"MessagesRequest",
       object({{"messages", messages()}, {"max_tokens", whole(1, INT32_MAX)}},
              with(fields, {{"system", content},
                            {"stop_sequences",
                             list({{"type", "string"}, {"maxLength", kMaxStopBytes}}, 0, kMaxStopTexts)}}))},
      {"CountRequest", object({{"messages", messages()}}, {{"system", content}})},
      {"TokenizeRequest",
       object({{"content", text()}},
              {{"add_special", flag()}, {"parse_special", flag()}, {"with_pieces", flag()}})},
      {"DetokenizeRequest", object({{"tokens", list(whole(0, limits.vocabulary_size - 1))}})},
      {"SlotRequest",
       object(Json::object(),
              {{"filename",
                {{"type", "string"}, {"pattern", "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"}, {"maxLength", 128}}}})},
      {"TemplateRequest", object({{"messages", messages()}})}};
}

Json reply_schemas() {
  const Json text_part = object({{"type", one_of_words({"text", "output_text"})}, {"text", text()}});
  const Json response_item = object({{"id", text()},
                                     {"type", constant("message")},
                                     {"status", one_of_words({"completed", "incomplete"})},
                                     {"role", constant("assistant")},
                                     {"content", list(text_part)}});
  const Json token = any_of({whole(), object({{"id", whole()}, {"piece", text()}})});
  return {
      {"Error", object({{"error", object({{"code", whole()}, {"message", text()}, {"type", text()}})}})},
      {"Event", object({{"data", text()}}, {{"event", text()}})},
      {"Completion", completion("text_completion", {{"text", text()}})},
      {"ChatCompletion",
       completion("chat.completion",
                  {{"message", object({{"role", constant("assistant")}, {"content", or_null(text())}})}})},
      {"Embeddings", object({{"object", constant("list")},
                             {"data", list(object({{"object", constant("embedding")},
                                                   {"index", whole()},
                                                   {"embedding", any_of({list(real()), text()})}}))},
                             {"model", text()},
                             {"usage", object({{"prompt_tokens", whole()}, {"total_tokens", whole()}})}})},
      {"Response", object({{"id", text()},
                           {"object", constant("response")},
                           {"created_at", whole()},
                           {"status", one_of_words({"completed", "incomplete"})},
                           {"model", text()},
                           {"output", list(response_item)},
                           {"usage", object({{"input_tokens", whole()}, {"output_tokens", whole()}})}})},
      {"AnthropicMessage",
       object({{"id", text()},
               {"type", constant("message")},
               {"role", constant("assistant")},
               {"model", text()},
               {"content", list(text_part)},
               {"stop_reason", one_of_words({"end_turn", "max_tokens", "stop_sequence"})},
               {"stop_sequence", or_null(text())},
               {"usage", object({{"input_tokens", whole()}, {"output_tokens", whole()}})}})},
      {"Count", object({{"input_tokens", whole()}})},
      {"Tokens", object({{"tokens", list(token)}, {"count", whole()}, {"max_model_len", whole()}})},
      {"Text", object({{"content", text()}, {"prompt", text()}})},
      {"Prompt", object({{"prompt", text()}})},
      {"TokenizerInfo", object({{"tokenizer_class", text()},
                                {"bos_token", or_null(text())},
                                {"eos_token", or_null(text())},
                                {"pad_token", or_null(text())},
                                {"chat_template", text()}})},
      {"Models", object({{"object", constant("list")},
                         {"data", list(object({{"id", text()},
                                               {"object", constant("model")},
                                               {"created", whole()},
                                               {"owned_by", text()}}))}})},
      {"Health", object({{"status", constant("ok")}})},
      {"Properties", object({{"default_generation_settings", of_type("object")},
                             {"total_slots", whole()},
                             {"model_alias", text()},
                             {"model_path", text()},
                             {"chat_template", text()},
                             {"build_info", text()}})},
      {"SlotResult", object({{"id_slot", whole()}})},
      {"Slots",
       list(
           object({{"id", whole()}, {"n_ctx", whole()}, {"is_processing", flag()}, {"n_tokens", whole()}}))}};
}

}  // namespace plm::server
