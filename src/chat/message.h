// The messages of a conversation in the terms of OpenAI's chat API, which are also those that chat templates
// know.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plm::chat {

using Json = nlohmann::ordered_json;

struct Message {
  std::string role = {};     // "system", "user", "assistant", "tool"; others go to the template as they are
  std::string content = {};  // beside tool_calls an empty one reaches the template as none
  std::string reasoning_content = {};  // "" for none
  std::string name = {};               // "" for none
  std::string tool_call_id = {};       // of an answer of a tool; "" for none
  // [{"id": "..", "type": "function", "function": {"name": "..", "arguments": {..}}}], or null. Arguments are
  // the value itself; a text that holds a JSON object is read by messages_from_json.
  Json tool_calls = nullptr;
};

// The value of "messages" in a request. content may be a text, null, or an array of text parts, which are put
// together. Fails naming the message and the field, "messages[2].content: ...": with unsupported on a part
// that is no text, else with invalid_argument.
Result<std::vector<Message>> messages_from_json(const Json& messages);

// What a template sees of a message: only the fields that it has.
Json message_to_json(const Message& message);

// The value of "tools": an array of objects with an object "function" that has a name; null when `tools` is
// null or empty. Fails with invalid_argument, naming the tool.
Result<Json> tools_from_json(const Json& tools);

}  // namespace plm::chat
