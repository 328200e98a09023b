// Turns a conversation into the text a model was trained on, by the model's own template: the Jinja of
// tokenizer.chat_template, as transformers runs it (docs/formats/chat-template.md).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/message.h"
#include "tokenizer/tokenizer.h"

namespace plm::chat {

// What a template is given beside the messages.
struct TemplateInputs {
  Json tools = nullptr;               // as tools_from_json gives them; null for none
  bool add_generation_prompt = true;  // end where the answer begins
  Json more = Json::object();         // further variables of the template: {"enable_thinking": false}
};

// Does not change after creation; render may be called from several threads at once.
class Template {
 public:
  // The template of a model's file, or in its place `chosen`: the name of a built-in one (template_names) or
  // Jinja source. A file without a template gets "plain": "User: text\nAssistant: text\n". Fails with
  // bad_data or unsupported, naming line and what was found, on a source that is not understood.
  static Result<Template> create(const tokenizer::Tokenizer& tokenizer, std::string_view chosen = {});

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // The conversation as text, to be encoded with add_special and parse_special: what the tokenizer adds at
  // the ends is not in the text. Fails with invalid_argument when the template refuses the conversation
  // (roles that do not alternate), with bad_data when it cannot be run.
  Result<std::string> render(std::span<const Message> messages, const TemplateInputs& inputs) const;

  // The part of the text that comes before the first turn of these messages and stays when turns are dropped:
  // the system message, given or the template's own. "" when there is none, or it cannot be told apart.
  std::string opening(std::span<const Message> messages, const TemplateInputs& inputs) const;

  // Texts at which an answer ends, besides the end-of-generation tokens ("\nUser:" of the plain form).
  std::vector<std::string> stop_texts() const;

  // The name of the built-in template, or "" for one that came as source.
  std::string_view name() const;
  const std::string& source() const;
  // Whether the source speaks of tools at all; without, they cannot reach the model.
  bool knows_tools() const;

 private:
  struct State;
  explicit Template(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The built-in templates: "chatml", "llama2", ...
std::vector<std::string_view> template_names();

}  // namespace plm::chat
