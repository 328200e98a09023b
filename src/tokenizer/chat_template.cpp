#include "tokenizer/chat_template.h"

#include <optional>

namespace plm::tokenizer {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

ChatFormat detect_format(std::string_view source) {
  if (contains(source, "<|im_start|>")) return ChatFormat::chatml;
  if (contains(source, "<|start_header_id|>")) return ChatFormat::llama3;
  if (contains(source, "[INST]")) return ChatFormat::llama2;
  if (contains(source, "<|assistant|>")) {
    return contains(source, "<|end|>") ? ChatFormat::phi3 : ChatFormat::zephyr;
  }
  return ChatFormat::plain;
}

// Jinja escapes in a quoted text: only \n matters to the known templates.
std::string unescape(std::string_view quoted) {
  std::string text;
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] == '\\' && i + 1 < quoted.size()) {
      ++i;
      text.push_back(quoted[i] == 'n' ? '\n' : quoted[i]);
    } else {
      text.push_back(quoted[i]);
    }
  }
  return text;
}

// The literal text between `before` and `after`, at the first place where nothing but text lies between.
std::optional<std::string> literal_between(std::string_view source, std::string_view before,
                                           std::string_view after) {
  for (auto at = source.find(before); at != std::string_view::npos; at = source.find(before, at + 1)) {
    const std::string_view rest = source.substr(at + before.size());
    const auto end = rest.find(after);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view literal = rest.substr(0, end);
    if (!literal.empty() && literal.find_first_of("'\"{}") == std::string_view::npos)
      return unescape(literal);
  }
  return std::nullopt;
}

// What a ChatML template says when nobody gives a system message: Qwen2 and SmolLM2 write it into the first
// turn, LLaMA-Factory's export sets a variable.
std::string default_chatml_system(std::string_view source) {
  for (const std::string_view before : {"<|im_start|>system\\n", "<|im_start|>system\n"}) {
    if (auto text = literal_between(source, before, "<|im_end|>")) return *text;
  }
  return literal_between(source, "set system_message = '", "'").value_or("");
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The turns of all forms but llama2 are alike: role, text, end.
struct TurnForm {
  std::string_view before_role;
  std::string_view after_role;
  std::string_view after_text;
};

TurnForm turn_form(const ChatTemplate& chat) {
  switch (chat.format) {
    case ChatFormat::chatml:
      return {"<|im_start|>", "\n", "<|im_end|>\n"};
    case ChatFormat::llama3:
      return {"<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>"};
    case ChatFormat::phi3:
      return {"<|", "|>\n", "<|end|>\n"};
    case ChatFormat::zephyr:
      return {"<|", "|>\n", chat.eos_text};
    case ChatFormat::llama2:
    case ChatFormat::plain:
      break;
  }
  return {"", ": ", "\n"};
}

std::string_view role_name(ChatFormat format, std::string_view role) {
  if (format != ChatFormat::plain) return role;
  if (role == "system") return "System";
  if (role == "user") return "User";
  if (role == "assistant") return "Assistant";
  return role;
}

std::string apply_turns(const ChatTemplate& chat, std::span<const ChatMessage> messages,
                        bool add_generation_prompt) {
  const TurnForm form = turn_form(chat);
  std::string out;
  const auto open_turn = [&](std::string_view role) {
    out += form.before_role;
    out += role_name(chat.format, role);
    out += form.after_role;
  };
  for (const ChatMessage& message : messages) {
    open_turn(message.role);
    out += chat.format == ChatFormat::llama3 ? trim(message.content) : std::string_view(message.content);
    out += form.after_text;
    if (chat.format == ChatFormat::zephyr) out += '\n';
  }
  if (add_generation_prompt) open_turn("assistant");
  // The first token of an answer brings its own blank.
  if (add_generation_prompt && chat.format == ChatFormat::plain) out.pop_back();
  return out;
}

// Llama 2 puts the system message into the user's first turn, and has no mark for the answer's beginning.
std::string apply_llama2(const ChatTemplate& chat, std::span<const ChatMessage> messages) {
  std::string out;
  bool inside_user_turn = false;
  bool after_answer = false;
  for (const ChatMessage& message : messages) {
    if (message.role == "assistant") {
      out += " ";
      out += trim(message.content);
      out += " " + chat.eos_text;
      inside_user_turn = false;
      after_answer = true;
      continue;
    }
    if (!inside_user_turn) {
      if (after_answer) out += chat.bos_text;
      out += "[INST] ";
    }
    inside_user_turn = true;
    if (message.role == "system") {
      out += "<<SYS>>\n" + message.content + "\n<</SYS>>\n\n";
    } else {
      out += trim(message.content);
      out += " [/INST]";
      inside_user_turn = false;
    }
  }
  return out;
}

}  // namespace

ChatTemplate ChatTemplate::detect(std::string_view source) {
  ChatTemplate chat;
  chat.format = detect_format(source);
  if (chat.format == ChatFormat::chatml) chat.default_system = default_chatml_system(source);
  return chat;
}

ChatTemplate ChatTemplate::detect(const Tokenizer& tokenizer) {
  ChatTemplate chat = detect(tokenizer.chat_template());
  if (tokenizer.bos()) chat.bos_text = tokenizer.token_text(*tokenizer.bos());
  if (tokenizer.eos()) chat.eos_text = tokenizer.token_text(*tokenizer.eos());
  return chat;
}

std::string ChatTemplate::apply(std::span<const ChatMessage> messages, bool add_generation_prompt) const {
  std::vector<ChatMessage> with_system;
  const bool begins_with_system = !messages.empty() && messages.front().role == "system";
  if (!default_system.empty() && !begins_with_system) {
    with_system.push_back({"system", default_system});
    with_system.insert(with_system.end(), messages.begin(), messages.end());
    messages = with_system;
  }
  if (format == ChatFormat::llama2) return apply_llama2(*this, messages);
  return apply_turns(*this, messages, add_generation_prompt);
}

std::vector<std::string> ChatTemplate::stop_texts() const {
  if (format == ChatFormat::plain) return {"\nUser:"};
  return {};
}

std::string_view chat_format_name(ChatFormat format) {
  switch (format) {
    case ChatFormat::chatml:
      return "chatml";
    case ChatFormat::llama2:
      return "llama2";
    case ChatFormat::llama3:
      return "llama3";
    case ChatFormat::phi3:
      return "phi3";
    case ChatFormat::zephyr:
      return "zephyr";
    case ChatFormat::plain:
      break;
  }
  return "plain";
}

}  // namespace plm::tokenizer
