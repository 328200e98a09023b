#include <nlohmann/json.hpp>

#include "api/generate.h"
#include "api/guard.h"
#include "api/request.h"
#include "base/json_shape.h"

namespace plm {

namespace {

using chat::Json;

Result<Json> parse_json(std::string_view field, std::string_view text) {
  constexpr int kMaxDepth = 64;
  if (json_shape(text).depth > kMaxDepth) {
    return make_error(ErrorKind::invalid_argument, "{}: nested deeper than {}", field, kMaxDepth);
  }
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return make_error(ErrorKind::invalid_argument, "{}: this is no JSON", field);
  return json;
}

Json to_json(const Message& message) {
  Json json = {{"role", message.role}, {"content", message.content}};
  if (!message.reasoning_content.empty()) json["reasoning_content"] = message.reasoning_content;
  if (!message.name.empty()) json["name"] = message.name;
  if (!message.tool_call_id.empty()) json["tool_call_id"] = message.tool_call_id;
  for (const ToolCall& call : message.tool_calls) {
    Json made = {{"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
    if (!call.id.empty()) made["id"] = call.id;
    json["tool_calls"].push_back(std::move(made));
  }
  return json;
}

std::string text_of(const Json& object, const char* key) {
  const auto field = object.find(key);
  return field != object.end() && field->is_string() ? field->get<std::string>() : std::string();
}

Message from_chat(chat::Message&& message) {
  Message made{.role = std::move(message.role),
               .content = std::move(message.content),
               .tool_calls = {},
               .tool_call_id = std::move(message.tool_call_id),
               .name = std::move(message.name),
               .reasoning_content = std::move(message.reasoning_content)};
  if (!message.tool_calls.is_array()) return made;
  for (const Json& call : message.tool_calls) {
    const Json& function = call["function"];
    const auto arguments = function.find("arguments");
    made.tool_calls.push_back({.id = text_of(call, "id"),
                               .name = text_of(function, "name"),
                               .arguments = arguments == function.end() ? std::string()
                                            : arguments->is_string()    ? arguments->get<std::string>()
                                                                        : arguments->dump()});
  }
  return made;
}

struct Rendered {
  std::string text;
  bool has_tools = false;
};

Result<Rendered> render(const Model::State& model, std::span<const Message> messages,
                        const ChatOptions& options) {
  if (!model.chat_template) return model.template_error.with_context("the model's chat template");
  if (messages.empty()) {
    return make_error(ErrorKind::invalid_argument, "messages: found none, expected at least one");
  }
  Json list = Json::array();
  for (const Message& message : messages) list.push_back(to_json(message));
  PLM_TRY(const auto conversation, chat::messages_from_json(list));
  chat::TemplateInputs inputs{.add_generation_prompt = options.add_generation_prompt};
  if (!options.tools.empty()) {
    PLM_TRY(const Json tools, parse_json("tools", options.tools));
    PLM_TRY(inputs.tools, chat::tools_from_json(tools));
    if (!inputs.tools.is_null() && !model.chat_template->knows_tools()) {
      return make_error(ErrorKind::unsupported, "tools: the model's chat template knows of none");
    }
  }
  if (!options.template_variables.empty()) {
    PLM_TRY(inputs.more, parse_json("template_variables", options.template_variables));
    if (!inputs.more.is_object()) {
      return make_error(ErrorKind::invalid_argument, "template_variables: found {}, expected an object",
                        inputs.more.type_name());
    }
    for (const char* name : {"messages", "tools", "add_generation_prompt"}) {
      if (!inputs.more.contains(name)) continue;
      return make_error(ErrorKind::invalid_argument,
                        "template_variables: found \"{}\", which is given to the template by itself", name);
    }
  }
  PLM_TRY(std::string text, model.chat_template->render(conversation, inputs));
  return Rendered{.text = std::move(text), .has_tools = !inputs.tools.is_null()};
}

}  // namespace

Result<std::vector<Message>> messages_from_json(std::string_view json) {
  return api::guarded([&]() -> Result<std::vector<Message>> {
    PLM_TRY(const Json list, parse_json("messages", json));
    PLM_TRY(auto read, chat::messages_from_json(list));
    std::vector<Message> messages;
    for (chat::Message& message : read) messages.push_back(from_chat(std::move(message)));
    return messages;
  });
}

Result<std::string> Model::chat_prompt(std::span<const Message> messages, const ChatOptions& options) const {
  return api::guarded([&]() -> Result<std::string> {
    PLM_TRY(Rendered rendered, render(*state_, messages, options));
    return std::move(rendered.text);
  });
}

Result<Stream> Model::stream_chat(std::span<const Message> messages, const ChatOptions& chat_options,
                                  const GenerateOptions& options) const {
  return api::guarded([&]() -> Result<Stream> {
    PLM_TRY(const Rendered rendered, render(*state_, messages, chat_options));
    PLM_TRY(auto tokens, api::prompt_tokens(*state_, rendered.text, {.parse_special = true}));
    PLM_TRY(auto request, api::continuation(*state_, std::move(tokens), options));
    for (std::string& text : state_->chat_template->stop_texts())
      request.stop_texts.push_back(std::move(text));
    PLM_TRY(auto state, api::begin(state_, std::move(request)));
    if (rendered.has_tools) state->calls.emplace();
    return Stream(std::move(state));
  });
}

Result<Answer> Model::chat(std::span<const Message> messages, const ChatOptions& chat_options,
                           const GenerateOptions& options, const OnPiece& on_piece) const {
  PLM_TRY(Stream begun, stream_chat(messages, chat_options, options));
  return api::read_to_end(std::move(begun), options.keep_going, on_piece);
}

}  // namespace plm
