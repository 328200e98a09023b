// Turns a conversation into the text a model was trained on. The forms are recognised by marks in the Jinja
// source of tokenizer.chat_template, as llama.cpp's built-in templates are; the source itself is not run.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace plm::tokenizer {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"; others are written as they are
  std::string content;
};

enum class ChatFormat {
  chatml,  // <|im_start|>role\ntext<|im_end|>\n
  llama2,  // [INST] <<SYS>>...
  llama3,  // <|start_header_id|>role<|end_header_id|>\n\ntext<|eot_id|>
  phi3,    // <|role|>\ntext<|end|>\n
  zephyr,  // <|role|>\ntext<eos>\n
  plain,   // "User: text\nAssistant: text\n": a model without a template
};

struct ChatTemplate {
  ChatFormat format = ChatFormat::plain;
  // Written first when the conversation does not begin with a system message; empty for none.
  std::string default_system;
  // The texts of the bos and eos tokens, which llama2 and zephyr write between turns.
  std::string bos_text = "<s>";
  std::string eos_text = "</s>";

  // The form for a template's source. An unknown or empty source gives `plain`.
  static ChatTemplate detect(std::string_view source);
  static ChatTemplate detect(const Tokenizer& tokenizer);

  // The whole conversation, to be encoded with parse_special. With add_generation_prompt it ends where the
  // answer begins.
  std::string apply(std::span<const ChatMessage> messages, bool add_generation_prompt) const;

  // Texts at which an answer ends, besides the end-of-generation tokens ("\nUser:" of the plain form).
  std::vector<std::string> stop_texts() const;
};

// "chatml", "llama2", ...
std::string_view chat_format_name(ChatFormat format);

}  // namespace plm::tokenizer
