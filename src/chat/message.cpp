#include "chat/message.h"

#include "base/json_shape.h"

namespace plm::chat {
namespace {

std::string_view kind_of(const Json& value) { return value.type_name(); }

// A text that may be absent or null.
Status read_optional_text(const Json& object, const char* key, const std::string& where, std::string& text) {
  const auto field = object.find(key);
  if (field == object.end() || field->is_null()) return {};
  if (!field->is_string()) {
    return make_error(ErrorKind::invalid_argument, "{}.{}: found {}, expected a string", where, key,
                      kind_of(*field));
  }
  text = field->get<std::string>();
  return {};
}

Status read_content(const Json& object, const std::string& where, std::string& content) {
  const auto field = object.find("content");
  if (field == object.end() || !field->is_array())
    return read_optional_text(object, "content", where, content);
  for (size_t i = 0; i < field->size(); ++i) {
    const Json& part = (*field)[i];
    const bool has_type = part.is_object() && part.contains("type") && part["type"].is_string();
    const bool is_text =
        has_type && (part["type"] == "text" || part["type"] == "input_text" || part["type"] == "output_text");
    if (!is_text || !part.contains("text") || !part["text"].is_string()) {
      return make_error(has_type && !is_text ? ErrorKind::unsupported : ErrorKind::invalid_argument,
                        "{}.content[{}]: expected a text part, {{\"type\":\"text\",\"text\":\"..\"}}", where,
                        i);
    }
    content += part["text"].get_ref<const std::string&>();
  }
  return {};
}

constexpr int kMaxArgumentDepth = 64;
constexpr size_t kMaxArguments = 1024;  // and members of any object in them

// Templates expect arguments as an object; clients send them as a text.
Json read_arguments(const Json& arguments) {
  if (!arguments.is_string()) return arguments;
  const JsonShape shape = json_shape(arguments.get_ref<const std::string&>());
  if (shape.depth > kMaxArgumentDepth || shape.most_members > kMaxArguments) return arguments;
  Json parsed = Json::parse(arguments.get_ref<const std::string&>(), nullptr, false);
  return parsed.is_object() ? parsed : arguments;
}

Status read_tool_calls(const Json& object, const std::string& where, Json& tool_calls) {
  const auto field = object.find("tool_calls");
  if (field == object.end() || field->is_null()) return {};
  if (!field->is_array()) {
    return make_error(ErrorKind::invalid_argument, "{}.tool_calls: found {}, expected an array", where,
                      kind_of(*field));
  }
  Json calls = Json::array();
  for (size_t i = 0; i < field->size(); ++i) {
    Json call = (*field)[i];
    const bool is_call = call.is_object() && call.contains("function") && call["function"].is_object() &&
                         call["function"].contains("name") && call["function"]["name"].is_string();
    if (!is_call) {
      return make_error(ErrorKind::invalid_argument,
                        "{}.tool_calls[{}]: expected an object with function.name, a string", where, i);
    }
    const std::string call_where = fmt::format("{}.tool_calls[{}]", where, i);
    std::string id, type = "function";
    PLM_TRY_STATUS(read_optional_text(call, "id", call_where, id));
    PLM_TRY_STATUS(read_optional_text(call, "type", call_where, type));
    if (type != "function") {
      return make_error(ErrorKind::unsupported, "{}.type: found \"{}\", only function is supported",
                        call_where, type);
    }
    Json& arguments = call["function"]["arguments"];
    if (!arguments.is_null() && !arguments.is_string() && !arguments.is_object()) {
      return make_error(ErrorKind::invalid_argument,
                        "{}.function.arguments: found {}, expected an object or its text", call_where,
                        kind_of(arguments));
    }
    arguments = arguments.is_null() ? Json::object() : read_arguments(arguments);
    calls.push_back(std::move(call));
  }
  if (!calls.empty()) tool_calls = std::move(calls);
  return {};
}

Result<Message> message_from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) {
    return make_error(ErrorKind::invalid_argument, "{}: found {}, expected an object", where, kind_of(json));
  }
  Message message;
  PLM_TRY_STATUS(read_optional_text(json, "role", where, message.role));
  if (message.role.empty()) {
    return make_error(ErrorKind::invalid_argument, "{}.role: expected a string that is not empty", where);
  }
  PLM_TRY_STATUS(read_content(json, where, message.content));
  PLM_TRY_STATUS(read_optional_text(json, "reasoning_content", where, message.reasoning_content));
  PLM_TRY_STATUS(read_optional_text(json, "name", where, message.name));
  PLM_TRY_STATUS(read_optional_text(json, "tool_call_id", where, message.tool_call_id));
  PLM_TRY_STATUS(read_tool_calls(json, where, message.tool_calls));
  return message;
}

Status check_tool(const Json& tool, const std::string& where) {
  const bool is_tool = tool.is_object() && tool.contains("function") && tool["function"].is_object() &&
                       tool["function"].contains("name") && tool["function"]["name"].is_string();
  if (!is_tool || tool["function"]["name"].get_ref<const std::string&>().empty()) {
    return make_error(ErrorKind::invalid_argument, "{}: expected an object with function.name, a string",
                      where);
  }
  std::string type = "function", description;
  PLM_TRY_STATUS(read_optional_text(tool, "type", where, type));
  if (type != "function") {
    return make_error(ErrorKind::unsupported, "{}.type: found \"{}\", only function is supported", where,
                      type);
  }
  const Json& function = tool["function"];
  PLM_TRY_STATUS(read_optional_text(function, "description", where + ".function", description));
  const auto parameters = function.find("parameters");
  if (parameters == function.end() || parameters->is_null() || parameters->is_object()) return {};
  return make_error(ErrorKind::invalid_argument, "{}.function.parameters: found {}, expected an object",
                    where, kind_of(*parameters));
}

}  // namespace

Result<std::vector<Message>> messages_from_json(const Json& messages) {
  if (!messages.is_array()) {
    return make_error(ErrorKind::invalid_argument, "messages: found {}, expected an array",
                      kind_of(messages));
  }
  std::vector<Message> result;
  result.reserve(messages.size());
  for (size_t i = 0; i < messages.size(); ++i) {
    PLM_TRY(Message message, message_from_json(messages[i], fmt::format("messages[{}]", i)));
    result.push_back(std::move(message));
  }
  return result;
}

Json message_to_json(const Message& message) {
  Json json = {{"role", message.role}};
  const bool has_calls = !message.tool_calls.is_null();
  json["content"] = has_calls && message.content.empty() ? Json(nullptr) : Json(message.content);
  if (!message.reasoning_content.empty()) json["reasoning_content"] = message.reasoning_content;
  if (!message.name.empty()) json["name"] = message.name;
  if (!message.tool_call_id.empty()) json["tool_call_id"] = message.tool_call_id;
  if (has_calls) json["tool_calls"] = message.tool_calls;
  return json;
}

Result<Json> tools_from_json(const Json& tools) {
  if (tools.is_null()) return Json(nullptr);
  if (!tools.is_array()) {
    return make_error(ErrorKind::invalid_argument, "tools: found {}, expected an array", kind_of(tools));
  }
  for (size_t i = 0; i < tools.size(); ++i) PLM_TRY_STATUS(check_tool(tools[i], fmt::format("tools[{}]", i)));
  return tools.empty() ? Json(nullptr) : tools;
}

}  // namespace plm::chat
