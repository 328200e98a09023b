// From a chat request to the text the model was trained on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/template.h"
#include "server/json.h"

namespace plm::server {

inline constexpr int64_t kMaxMessages = 4096;
inline constexpr int64_t kMaxTools = 128;

// system, developer, user, assistant or tool.
bool is_known_role(std::string_view role);

struct ChatPrompt {
  std::string text;  // to be encoded with parse_special
  std::vector<std::string>
      stop_texts;    // at which an answer of this form ends, besides the model's own tokens
  chat::Json tools;  // those the text tells of; null for none
  std::optional<std::string> must_call;  // one of them, "" for any
};

// Of the fields "messages" (text parts only), "tools", "tool_choice", "add_generation_prompt",
// "continue_final_message" and "chat_template_kwargs", whose variables go before `variables`. Words of the
// assistant at the end are the beginning of the answer, as llama.cpp and Anthropic have it. Fails with
// invalid_argument on messages that are none or that the template refuses, and with unsupported on what the
// template here cannot do.
Result<ChatPrompt> render_chat(const Fields& fields, const chat::Template& chat_template,
                               const chat::Json& variables);

}  // namespace plm::server
