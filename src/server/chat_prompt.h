// From the messages of a chat request to the text the model was trained on.
#pragma once

#include <string>
#include <vector>

#include "server/json.h"
#include "tokenizer/tokenizer.h"

namespace plm::server {

struct ChatPrompt {
  std::string text;  // to be encoded with parse_special
  std::vector<std::string>
      stop_texts;  // at which an answer of this form ends, besides the model's own tokens
};

// Of fields "messages" (text parts only) and those that say what the template shall write. Fails with
// invalid_argument on messages that are none, and with unsupported on what a template here cannot do.
Result<ChatPrompt> render_chat(const Fields& fields, const tokenizer::Tokenizer& tokenizer);

// The text of a message's content: a string, or a list of parts with type "text" (also "input_text",
// "output_text"); `name` is the field's for errors.
Result<std::string> content_text(const Json& content, std::string_view name);

}  // namespace plm::server
