#include "server/chat_forms.h"

#include "server/chat_prompt.h"

namespace plm::server {

namespace {

// A list of objects, or nothing.
Result<Json> read_objects(const Fields& fields, std::string_view name) {
  const Json* list = fields.find(name);
  if (list == nullptr) return Json::array();
  if (!list->is_array()) return fields.wrong(name, "a list of objects");
  for (const Json& item : *list) {
    if (!item.is_object()) return fields.wrong(name, "a list of objects");
  }
  return *list;
}

Result<std::string> read_name(const Fields& fields, std::string_view name) {
  PLM_TRY(std::string text, fields.text(name, ""));
  if (text.empty()) return fields.wrong(name, "a string that is not empty");
  return text;
}

// {"type": "function", "function": {..}} of a tool whose fields have other places and names.
Result<Json> function_tool(const Fields& tool, std::string_view parameters) {
  PLM_TRY(const std::string name, read_name(tool, "name"));
  PLM_TRY(const std::string description, tool.text("description", ""));
  Json function = {{"name", name}};
  if (!description.empty()) function["description"] = description;
  if (const Json* schema = tool.find(parameters); schema != nullptr) {
    if (!schema->is_object()) return tool.wrong(parameters, "a JSON schema");
    function["parameters"] = *schema;
  }
  return Json{{"type", "function"}, {"function", std::move(function)}};
}

// `type`: of the tools that are functions. Others are the makers' own, and run on their machines.
Result<Json> function_tools(const Fields& fields, std::string_view type, std::string_view parameters) {
  PLM_TRY(const Json given, read_objects(fields, "tools"));
  Json tools = Json::array();
  for (size_t i = 0; i < given.size(); ++i) {
    const Fields tool(given[i], fmt::format("tools[{}].", i));
    PLM_TRY(const std::string found, tool.text("type", std::string(type)));
    if (found != type) {
      return make_error(ErrorKind::unsupported, "field tools[{}].type: found \"{}\", only {} is supported", i,
                        found, type);
    }
    PLM_TRY(Json one, function_tool(tool, parameters));
    tools.push_back(std::move(one));
  }
  return tools;
}

Json named_choice(std::string_view name) { return {{"type", "function"}, {"function", {{"name", name}}}}; }

Json call_json(std::string_view id, std::string_view name, Json arguments) {
  return {
      {"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", std::move(arguments)}}}};
}

// To the message before where that is the assistant's: templates want what it says and calls in one.
void add_call(Json& messages, Json call) {
  if (messages.empty() || !messages.back().is_object() ||
      messages.back().value("role", Json()) != "assistant") {
    messages.push_back({{"role", "assistant"}, {"content", nullptr}});
  }
  Json& calls = messages.back()["tool_calls"];
  if (!calls.is_array()) calls = Json::array();
  calls.push_back(std::move(call));
}

// One item of "input" of /v1/responses.
Status add_item(const Json& item, size_t index, Json& messages) {
  const Fields fields(item, fmt::format("input[{}].", index));
  PLM_TRY(const std::string type, fields.text("type", "message"));
  if (type == "message") {
    messages.push_back(item);
  } else if (type == "function_call") {
    PLM_TRY(const std::string name, read_name(fields, "name"));
    PLM_TRY(const std::string id, read_name(fields, "call_id"));
    PLM_TRY(const std::string arguments, fields.text("arguments", "{}"));
    add_call(messages, call_json(id, name, arguments));
  } else if (type == "function_call_output") {
    PLM_TRY(const std::string id, read_name(fields, "call_id"));
    const Json* output = fields.find("output");
    if (output == nullptr || !(output->is_string() || output->is_array())) {
      return fields.wrong("output", "a string or a list of text parts");
    }
    messages.push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", *output}});
  } else {
    return make_error(ErrorKind::unsupported,
                      "field input[{}].type: found \"{}\", only message, function_call and "
                      "function_call_output are supported",
                      index, type);
  }
  return {};
}

Result<Json> response_messages(const Fields& fields) {
  Json messages = Json::array();
  PLM_TRY(const std::string instructions, fields.text("instructions", ""));
  if (!instructions.empty()) messages.push_back({{"role", "system"}, {"content", instructions}});
  const Json* input = fields.find("input");
  if (input != nullptr && input->is_string()) {
    messages.push_back({{"role", "user"}, {"content", *input}});
    return messages;
  }
  if (input == nullptr || !input->is_array() || input->empty()) {
    return fields.wrong("input", "a string or a list of items");
  }
  for (size_t i = 0; i < input->size(); ++i) {
    if (!(*input)[i].is_object()) return fields.wrong("input", "a string or a list of items");
    PLM_TRY_STATUS(add_item((*input)[i], i, messages));
  }
  return messages;
}

// "none", "auto", "required", or {"type": "function", "name": ".."}.
Result<Json> response_tool_choice(const Fields& fields) {
  const Json* choice = fields.find("tool_choice");
  if (choice == nullptr || !choice->is_object()) return choice == nullptr ? Json(nullptr) : *choice;
  const Fields inner(*choice, "tool_choice.");
  PLM_TRY(const std::string type, inner.text("type", ""));
  if (type != "function") {
    return make_error(ErrorKind::unsupported,
                      "field tool_choice.type: found \"{}\", only function is supported", type);
  }
  PLM_TRY(const std::string name, read_name(inner, "name"));
  return named_choice(name);
}

// {"format": {"type": "json_schema", "name": "..", "schema": {..}}} as response_format.
Result<Json> response_text_format(const Fields& fields) {
  const Json* text = fields.find("text");
  if (text == nullptr) return Json(nullptr);
  if (!text->is_object()) return fields.wrong("text", "an object");
  const Json* format = Fields(*text).find("format");
  if (format == nullptr) return Json(nullptr);
  const Fields inner(*format, "text.format.");
  if (!format->is_object()) return Fields(*text, "text.").wrong("format", "an object");
  PLM_TRY(const std::string type, inner.text("type", ""));
  if (type == "text") return Json(nullptr);
  if (type == "json_object") return Json{{"type", type}};
  if (type != "json_schema") return inner.wrong("type", "text, json_object or json_schema");
  const Json* schema = inner.find("schema");
  if (schema == nullptr) return inner.wrong("schema", "a JSON schema");
  return Json{{"type", type}, {"json_schema", {{"schema", *schema}}}};
}

// What a client may ask for and would miss if it were passed over.
Status refuse_unsupported(const Fields& fields) {
  for (const std::string_view name : {"previous_response_id", "conversation", "prompt"}) {
    const Json* value = fields.find(name);
    if (value != nullptr && !value->empty()) {
      return make_error(ErrorKind::unsupported, "field {}: not supported under this path", name);
    }
  }
  PLM_TRY(const bool in_background, fields.boolean("background", false));
  if (in_background) return make_error(ErrorKind::unsupported, "field background: only false is supported");
  return {};
}

// "auto", "any" and "none" as types, or {"type": "tool", "name": ".."}.
Result<Json> message_tool_choice(const Fields& fields) {
  const Json* choice = fields.find("tool_choice");
  if (choice == nullptr) return Json(nullptr);
  if (!choice->is_object()) return fields.wrong("tool_choice", "an object");
  const Fields inner(*choice, "tool_choice.");
  PLM_TRY(const std::string type, inner.text("type", ""));
  if (type == "auto" || type == "none") return Json(type);
  if (type == "any") return Json("required");
  if (type != "tool") return inner.wrong("type", "auto, any, tool or none");
  PLM_TRY(const std::string name, read_name(inner, "name"));
  return named_choice(name);
}

std::string type_of(const Json& part) {
  const Json* type = part.is_object() ? Fields(part).find("type") : nullptr;
  return type != nullptr && type->is_string() ? type->get<std::string>() : std::string();
}

// One message of /v1/messages. What tools said comes before the user's words, each as a message of its own.
Status add_message(const Json& message, size_t index, Json& messages) {
  const Json* content = message.is_object() ? Fields(message).find("content") : nullptr;
  if (content == nullptr || !content->is_array()) {
    messages.push_back(message);
    return {};
  }
  Json words = Json::array(), calls = Json::array();
  for (size_t i = 0; i < content->size(); ++i) {
    const Json& part = (*content)[i];
    const Fields fields(part, fmt::format("messages[{}].content[{}].", index, i));
    if (type_of(part) == "tool_use") {
      PLM_TRY(const std::string name, read_name(fields, "name"));
      PLM_TRY(const std::string id, read_name(fields, "id"));
      const Json* input = fields.find("input");
      if (input != nullptr && !input->is_object()) return fields.wrong("input", "an object");
      calls.push_back(call_json(id, name, input != nullptr ? *input : Json::object()));
    } else if (type_of(part) == "tool_result") {
      PLM_TRY(const std::string id, read_name(fields, "tool_use_id"));
      const Json* said = fields.find("content");
      if (said != nullptr && !said->is_string() && !said->is_array()) {
        return fields.wrong("content", "a string or a list of text parts");
      }
      messages.push_back(
          {{"role", "tool"}, {"tool_call_id", id}, {"content", said != nullptr ? *said : Json("")}});
    } else {
      words.push_back(part);
    }
  }
  const Fields outer(message, fmt::format("messages[{}].", index));
  PLM_TRY(const std::string role, outer.text("role", ""));
  if (!is_known_role(role)) return outer.wrong("role", "user or assistant");
  if (words.empty() && calls.empty() && !content->empty()) return {};  // tools alone
  Json rest = message;
  rest["content"] = std::move(words);
  if (!calls.empty()) rest["tool_calls"] = std::move(calls);
  messages.push_back(std::move(rest));
  return {};
}

}  // namespace

Result<Json> chat_from_responses(const Json& body) {
  const Fields fields(body);
  PLM_TRY_STATUS(refuse_unsupported(fields));
  Json chat = body;
  PLM_TRY(chat["messages"], response_messages(fields));
  PLM_TRY(chat["tools"], function_tools(fields, "function", "parameters"));
  PLM_TRY(chat["tool_choice"], response_tool_choice(fields));
  PLM_TRY(const Json format, response_text_format(fields));
  if (!format.is_null()) chat["response_format"] = format;
  for (const char* other : {"n_predict", "max_completion_tokens"}) chat.erase(other);
  PLM_TRY(chat["max_tokens"], fields.integer("max_output_tokens", -1, 1, INT32_MAX));
  return chat;
}

Result<Json> chat_from_messages(const Json& body) {
  const Fields fields(body);
  const Json* given = fields.find("messages");
  if (given == nullptr || !given->is_array() || given->empty()) {
    return fields.wrong("messages", "a list of messages");
  }
  Json messages = Json::array();
  if (const Json* system = fields.find("system"); system != nullptr) {
    messages.push_back({{"role", "system"}, {"content", *system}});
  }
  for (size_t i = 0; i < given->size(); ++i) PLM_TRY_STATUS(add_message((*given)[i], i, messages));
  Json chat = body;
  chat["messages"] = std::move(messages);
  PLM_TRY(chat["tools"], function_tools(fields, "custom", "input_schema"));
  PLM_TRY(chat["tool_choice"], message_tool_choice(fields));
  if (const Json* choice = fields.find("tool_choice"); choice != nullptr) {
    PLM_TRY(const bool one_alone,
            Fields(*choice, "tool_choice.").boolean("disable_parallel_tool_use", false));
    chat["parallel_tool_calls"] = !one_alone;
  }
  if (const Json* stops = fields.find("stop_sequences"); stops != nullptr) {
    if (!stops->is_array()) return fields.wrong("stop_sequences", "a list of strings");
    chat["stop"] = *stops;
  }
  return chat;
}

}  // namespace plm::server
