#include "server/chat_prompt.h"

#include <algorithm>
#include <array>
#include <span>

namespace plm::server {

namespace {

// Fields are named as elsewhere in the API's errors.
Error as_field(const Error& error) { return {error.kind, "field " + error.message}; }

Status check_message(const Json& json, chat::Message& message, size_t index) {
  const Fields fields(json, fmt::format("messages[{}].", index));
  if (!is_known_role(message.role)) return fields.wrong("role", "system, developer, user, assistant or tool");
  if (message.role == "developer") message.role = "system";
  if (!fields.has("content") && message.tool_calls.is_null()) {
    return fields.wrong("content", "a string or a list of text parts");
  }
  return {};
}

Result<std::vector<chat::Message>> read_messages(const Fields& fields) {
  const Json* field = fields.find("messages");
  if (field == nullptr || !field->is_array() || field->empty() || std::ssize(*field) > kMaxMessages) {
    return fields.wrong("messages", fmt::format("a list of 1 to {} messages", kMaxMessages));
  }
  auto messages = chat::messages_from_json(*field);
  if (!messages.ok()) return as_field(messages.error());
  for (size_t i = 0; i < messages->size(); ++i) {
    PLM_TRY_STATUS(check_message((*field)[i], (*messages)[i], i));
  }
  return messages;
}

struct Tools {
  chat::Json list = nullptr;  // null where the model shall not know of any
  std::optional<std::string> must_call = {};
};

bool is_function(const Json& choice) {
  const Json* type = Fields(choice).find("type");
  return type == nullptr || *type == "function";
}

// "none", "auto", "required", or {"type": "function", "function": {"name": ".."}}.
Status read_tool_choice(const Fields& fields, Tools& tools) {
  const Json* choice = fields.find("tool_choice");
  if (choice == nullptr || *choice == "auto") return {};
  if (*choice == "none") {
    tools.list = nullptr;
    return {};
  }
  const Json* function = choice->is_object() ? Fields(*choice).find("function") : nullptr;
  const Json* name = function != nullptr && function->is_object() ? Fields(*function).find("name") : nullptr;
  if (*choice == "required") {
    tools.must_call = "";
  } else if (name != nullptr && name->is_string() && !name->get_ref<const std::string&>().empty() &&
             is_function(*choice)) {
    tools.must_call = name->get<std::string>();
  } else {
    return fields.wrong("tool_choice", "none, auto, required or an object with function.name");
  }
  if (!tools.list.is_null()) return {};
  return make_error(ErrorKind::invalid_argument, "field tool_choice: there are no tools to call");
}

Result<Tools> read_tools(const Fields& fields, const chat::Template& chat_template) {
  Tools read;
  const Json* field = fields.find("tools");
  if (field == nullptr) {
    PLM_TRY_STATUS(read_tool_choice(fields, read));
    return read;
  }
  if (field->is_array() && std::ssize(*field) > kMaxTools) {
    return fields.wrong("tools", fmt::format("at most {} tools", kMaxTools));
  }
  auto tools = chat::tools_from_json(*field);
  if (!tools.ok()) return as_field(tools.error());
  read.list = *std::move(tools);
  PLM_TRY_STATUS(read_tool_choice(fields, read));
  if (!read.list.is_null() && !chat_template.knows_tools()) {
    return make_error(ErrorKind::unsupported, "field tools: the model's chat template knows of none");
  }
  return read;
}

// Whether the answer goes on where the last message ends, instead of beginning after it.
Result<bool> continues_last(const Fields& fields, std::span<const chat::Message> messages,
                            const chat::TemplateInputs& inputs) {
  const chat::Message& last = messages.back();
  const bool can = messages.size() > 1 && last.role == "assistant" && last.tool_calls.is_null();
  PLM_TRY(const bool wants, fields.boolean("continue_final_message", can && inputs.add_generation_prompt));
  if (!wants || can) return wants;
  return fields.wrong("continue_final_message", "false, for the last message is not the assistant's words");
}

}  // namespace

bool is_known_role(std::string_view role) {
  constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant", "tool"};
  return std::ranges::find(kRoles, role) != kRoles.end();
}

Result<ChatPrompt> render_chat(const Fields& fields, const chat::Template& chat_template,
                               const chat::Json& variables) {
  PLM_TRY(const std::vector<chat::Message> messages, read_messages(fields));
  chat::TemplateInputs inputs{.more = variables};
  PLM_TRY(Tools tools, read_tools(fields, chat_template));
  inputs.tools = std::move(tools.list);
  PLM_TRY(inputs.add_generation_prompt, fields.boolean("add_generation_prompt", true));
  if (const Json* more = fields.find("chat_template_kwargs"); more != nullptr) {
    if (!more->is_object()) return fields.wrong("chat_template_kwargs", "an object");
    inputs.more.update(*more);
  }
  PLM_TRY(const bool continues, continues_last(fields, messages, inputs));
  inputs.add_generation_prompt = inputs.add_generation_prompt || continues;
  auto text = chat_template.render(std::span(messages).first(messages.size() - (continues ? 1 : 0)), inputs);
  // The template was parsed when the server began: what fails now is in the request.
  if (!text.ok()) return Error{ErrorKind::invalid_argument, text.error().message};
  if (continues) *text += messages.back().content;
  return ChatPrompt{.text = *std::move(text),
                    .stop_texts = chat_template.stop_texts(),
                    .tools = std::move(inputs.tools),
                    .must_call = std::move(tools.must_call)};
}

}  // namespace plm::server
