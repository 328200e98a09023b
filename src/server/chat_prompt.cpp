#include "server/chat_prompt.h"

#include "tokenizer/chat_template.h"

namespace plm::server {

namespace {

constexpr int64_t kMaxMessages = 4096;

}  // namespace

Result<std::string> content_text(const Json& content, std::string_view name) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) {
    return make_error(ErrorKind::invalid_argument,
                      "field {}: found {}, expected a string or a list of text parts", name,
                      described(content));
  }
  std::string text;
  for (const Json& part : content) {
    const auto type = part.is_object() ? part.find("type") : part.end();
    const bool is_text =
        type != part.end() && (*type == "text" || *type == "input_text" || *type == "output_text");
    if (!is_text) {
      return make_error(ErrorKind::unsupported, "field {}: only parts of the type text are supported", name);
    }
    PLM_TRY(const std::string piece, Fields(part, fmt::format("{}.", name)).text("text", ""));
    text += piece;
  }
  return text;
}

Result<ChatPrompt> render_chat(const Fields& fields, const tokenizer::Tokenizer& tokenizer) {
  const Json* messages = fields.find("messages");
  if (messages == nullptr || !messages->is_array() || messages->empty() ||
      std::ssize(*messages) > kMaxMessages) {
    return fields.wrong("messages", fmt::format("a list of 1 to {} messages", kMaxMessages));
  }
  std::vector<tokenizer::ChatMessage> read;
  for (size_t i = 0; i < messages->size(); ++i) {
    const Json& message = (*messages)[i];
    const std::string name = fmt::format("messages[{}]", i);
    if (!message.is_object()) {
      return make_error(ErrorKind::invalid_argument, "field {}: found {}, expected an object", name,
                        described(message));
    }
    const Fields message_fields(message, name + ".");
    PLM_TRY(std::string role, message_fields.text("role", ""));
    if (role == "developer") role = "system";
    if (role != "system" && role != "user" && role != "assistant" && role != "tool") {
      return message_fields.wrong("role", "system, developer, user, assistant or tool");
    }
    const Json* content = message_fields.find("content");
    if (content == nullptr) return message_fields.wrong("content", "a string or a list of text parts");
    PLM_TRY(std::string text, content_text(*content, name + ".content"));
    read.push_back({.role = std::move(role), .content = std::move(text)});
  }
  const auto chat_template = tokenizer::ChatTemplate::detect(tokenizer);
  return ChatPrompt{.text = chat_template.apply(read, /*add_generation_prompt=*/true),
                    .stop_texts = chat_template.stop_texts()};
}

}  // namespace plm::server
