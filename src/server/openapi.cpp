// /openapi.json: what the endpoints take and give, for programs that read it (OpenAPI 3.1).
#include <algorithm>
#include <array>
#include <cctype>

#include "server/api.h"
#include "server/ollama.h"
#include "server/openapi_schemas.h"
#include "server/schema_terms.h"

namespace plm::server {

namespace {

struct Described {
  std::string_view path, request, reply;  // names of schemas
  bool streams = false;                   // with "stream" the reply comes in parts
};

// Of the routes. One that is not named here takes no body and gives an object.
constexpr std::array kDescribed = {
    Described{"/v1/completions", "CompletionRequest", "Completion", true},
    Described{"/completion", "NativeRequest", "NativeCompletion", true},
    Described{"/v1/chat/completions", "ChatRequest", "ChatCompletion", true},
    Described{"/v1/responses", "ResponseRequest", "Response", true},
    Described{"/v1/messages", "MessagesRequest", "AnthropicMessage", true},
    Described{"/v1/messages/count_tokens", "CountRequest", "Count"},
    Described{"/v1/embeddings", "EmbeddingsRequest", "Embeddings"},
    Described{"/embedding", "NativeEmbeddingsRequest", "NativeEmbeddings"},
    Described{"/tokenize", "TokenizeRequest", "Tokens"},
    Described{"/detokenize", "DetokenizeRequest", "Text"},
    Described{"/apply-template", "TemplateRequest", "Prompt"},
    Described{"/tokenizer_info", "", "TokenizerInfo"},
    Described{"/v1/models", "", "Models"},
    Described{"/v1/models/{name}", "", "Model"},
    Described{"/health", "", "Health"},
    Described{"/props", "", "Properties"},
    Described{"/lora-adapters", "", "Adapters"},
    Described{"/api/generate", "OllamaGenerateRequest", "OllamaCompletion", true},
    Described{"/api/chat", "OllamaChatRequest", "OllamaChat", true},
    Described{"/api/embed", "OllamaEmbedRequest", "OllamaEmbeddings"},
    Described{"/api/embeddings", "OllamaEmbeddingsRequest", "OllamaEmbedding"},
    Described{"/api/version", "", "OllamaVersion"},
    Described{"/api/tags", "", "OllamaModels"},
    Described{"/api/ps", "", "OllamaModels"},
    Described{"/api/show", "OllamaShowRequest", "OllamaModelInfo"},
    Described{"/slots", "", "Slots"},
    Described{"/slots/{id}", "SlotRequest", "SlotResult"},
};

Json content(std::string_view type, Json schema) {
  return {{std::string(type), {{"schema", std::move(schema)}}}};
}

Json operation(const Api::Route& route, std::string_view model_name) {
  const auto* const found = std::ranges::find(kDescribed, route.path, &Described::path);
  const Described described =
      found == kDescribed.end() ? Described{.path = route.path, .request = {}, .reply = {}} : *found;
  Json done = route.path == "/metrics"
                  ? content("text/plain", {{"type", "string"}})
                  : content("application/json", described.reply.empty() ? Json{{"type", "object"}}
                                                                        : schema::ref(described.reply));
  const bool is_ollama = route.path.starts_with(kOllamaPaths);
  if (described.streams && is_ollama) {
    done.update(content("application/x-ndjson", schema::of_type("string")));  // a line for each piece
  } else if (described.streams) {
    done.update(content("text/event-stream", schema::ref("Event")));
  }
  const std::string_view error = is_ollama ? "OllamaError" : "Error";
  Json responses = {{"200", {{"description", "done"}, {"content", std::move(done)}}}};
  for (const int status : {400, 401, 403, 404, 405, 408, 413, 429, 500, 501, 503}) {
    responses[fmt::format("{}", status)] = {{"description", http_reason(status)},
                                            {"content", content("application/json", schema::ref(error))}};
  }
  std::string operation_id(route.path.substr(1));
  std::ranges::replace_if(operation_id, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  Json json = {{"operationId", std::move(operation_id)}, {"responses", std::move(responses)}};
  if (!described.request.empty()) {
    json["requestBody"] = {{"required", true},
                           {"content", content("application/json", schema::ref(described.request))}};
  }
  if (route.path.ends_with("{name}")) {
    json["parameters"] = Json::array(
        {{{"name", "name"}, {"in", "path"}, {"required", true}, {"schema", schema::constant(model_name)}}});
  }
  if (route.path.ends_with("{id}")) {
    const Json actions = {{"enum", {"save", "restore", "erase"}}};
    const Json id = {{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "integer"}}}};
    const Json action = {{"name", "action"}, {"in", "query"}, {"required", true}, {"schema", actions}};
    json["parameters"] = {id, action};
  }
  return json;
}

}  // namespace

void Api::openapi(Exchange& exchange) const {
  Json paths = Json::object();
  for (auto route = routes().begin(); route != routes().end(); ++route) {
    if (route->refuses_all()) continue;
    // What has another path is described under the first.
    if (std::any_of(routes().begin(), route,
                    [&](const Route& other) { return other.answer == route->answer; }))
      continue;
    paths[std::string(route->path)][route->method == "GET" ? "get" : "post"] =
        operation(*route, options_.model_name);
  }
  Json schemas = request_schemas({.vocabulary_size = static_cast<int64_t>(tokenizer().vocabulary_size()),
                                  .knows_tools = template_.knows_tools()});
  schemas.update(reply_schemas());
  exchange.send(200, {{"openapi", "3.1.0"},
                      {"info", {{"title", "plm"}, {"version", PLM_VERSION}}},
                      {"paths", std::move(paths)},
                      {"components", {{"schemas", std::move(schemas)}}}});
}

}  // namespace plm::server
