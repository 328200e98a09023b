// Chats in the forms of other APIs, made into what /v1/chat/completions takes: messages, tools, the choice
// among them and the form of the answer. Fields that mean the same in both stay as they are.
#pragma once

#include "server/json.h"

namespace plm::server {

// Of /v1/responses, OpenAI's newer form. Calls of tools and what came of them are items of "input". Fails
// with invalid_argument on fields of the wrong kind, and with unsupported on items and tools that are none of
// text and functions.
Result<Json> chat_from_responses(const Json& body);

// Of /v1/messages, Anthropic's form. Calls of tools and what came of them are parts of messages.
Result<Json> chat_from_messages(const Json& body);

}  // namespace plm::server
