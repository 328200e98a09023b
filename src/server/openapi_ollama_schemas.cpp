// The schemas of Ollama's own API.
#include "server/ollama_forms.h"
#include "server/openapi_schemas.h"
#include "server/schema_terms.h"

namespace plm::server {

namespace {

using namespace schema;  // NOLINT(google-build-using-namespace): its words are what this file is written in

// Those of read_generation() under the same names, and the length.
Json options(const Json& fields) {
  Json known = {{"num_predict", whole(-2, INT32_MAX)}};
  for (const std::string_view name : kOllamaSameOptions) known[std::string(name)] = fields[std::string(name)];
  return object(Json::object(), known);
}

// Of what is done already, when it was, and by which model.
Json done(const Json& more) {
  return object(with({{"model", text()}, {"created_at", text()}, {"done", flag()}}, more),
                {{"total_duration", whole()},
                 {"load_duration", whole()},
                 {"prompt_eval_count", whole()},
                 {"prompt_eval_duration", whole()},
                 {"eval_count", whole()},
                 {"eval_duration", whole()},
                 {"logprobs", list(of_type("object"))}});
}

}  // namespace

Json ollama_request_schemas(const SchemaLimits& limits, const Json& fields, const Json& others) {
  const Json nothing = {{"type", "string"}, {"maxLength", 0}};
  const Json no_list = list(Json::object(), 0, 0);
  const Json lifetime = {{"keep_alive", any_of({real(), text()})}, {"options", any_object()}};
  const Json common = with(lifetime, {{"options", options(fields)},
                                      {"stream", flag()},
                                      {"logprobs", flag()},
                                      {"top_logprobs", whole(0, kMaxTopLogprobs)},
                                      {"think", any_of({flag(), one_of_words({"low", "medium", "high"})})}});
  const Json format = any_of({one_of_words({"", "json"}), any_object()});
  const Json with_prompt = with(common, {{"format", format},
                                         {"prompt", text()},
                                         {"suffix", nothing},
                                         {"template", nothing},
                                         {"images", no_list}});
  const Json ids = list(whole(0, limits.vocabulary_size - 1));
  const Json formed = object(
      Json::object(), with(with_prompt, {{"raw", {{"const", false}}}, {"system", text()}, {"context", ids}}));
  const Json raw =
      object(Json::object(), with(with_prompt, {{"raw", flag()}, {"system", nothing}, {"context", no_list}}));
  const Json chat = with(common, {{"format", format},
                                  {"messages", list(ref("Message"), 0, 4000)},
                                  {"tools", others["ChatRequest"]["properties"]["tools"]},
                                  {"tool_choice", others["ChatRequest"]["properties"]["tool_choice"]}});
  const Json input = any_of({others["EmbeddingsRequest"]["properties"]["input"], no_list});
  return {{"OllamaGenerateRequest", any_of({formed, raw})},
          {"OllamaChatRequest", object(Json::object(), chat)},
          {"OllamaEmbedRequest",
           object(Json::object(), with(lifetime, {{"truncate", flag()}, {"input", input}}))},
          {"OllamaEmbeddingsRequest", object(Json::object(), with(lifetime, {{"prompt", text()}}))},
          {"OllamaShowRequest", object(Json::object(), {{"verbose", flag()}})}};
}

Json ollama_reply_schemas() {
  const Json call = object({{"function", object({{"name", text()}, {"arguments", any_object()}})}});
  const Json message =
      object({{"role", constant("assistant")}, {"content", text()}}, {{"tool_calls", list(call)}});
  const Json details = object({{"format", constant("gguf")},
                               {"family", text()},
                               {"families", list(text())},
                               {"parameter_size", text()},
                               {"quantization_level", text()}});
  const Json model = object(
      {{"name", text()}, {"model", text()}, {"size", whole()}, {"digest", text()}, {"details", details}});
  return {{"OllamaError", object({{"error", text()}})},
          {"OllamaCompletion", done({{"response", text()}})},
          {"OllamaChat", done({{"message", message}})},
          {"OllamaEmbeddings", object({{"model", text()}, {"embeddings", list(list(real()))}})},
          {"OllamaEmbedding", object({{"embedding", list(real())}})},
          {"OllamaVersion", object({{"version", text()}})},
          {"OllamaModels", object({{"models", list(model)}})},
          {"OllamaModelInfo", object({{"template", text()},
                                      {"parameters", text()},
                                      {"details", details},
                                      {"model_info", any_object()},
                                      {"capabilities", list(text())}})}};
}

}  // namespace plm::server
