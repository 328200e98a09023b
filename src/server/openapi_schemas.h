// The shapes of requests and replies as JSON Schema, for /openapi.json.
#pragma once

#include "server/json.h"

namespace plm::server {

// What depends on the model.
struct SchemaLimits {
  int64_t vocabulary_size = 0;
  bool knows_tools = false;  // its chat template
};

// {"name": schema}. Requests are all that is accepted, but that a text may be too long for the context and
// that fields not named are passed over. A field that need not be there may be null.
Json request_schemas(const SchemaLimits& limits);
Json reply_schemas();

// Those of chats; `fields`: of all requests that write text.
Json chat_request_schemas(const SchemaLimits& limits, const Json& fields);
Json chat_reply_schemas();

// Those of Ollama's own API; `others`: the schemas of requests above.
Json ollama_request_schemas(const SchemaLimits& limits, const Json& fields, const Json& others);
Json ollama_reply_schemas();

// A JSON schema that an answer is to keep to.
Json json_schema();

}  // namespace plm::server
