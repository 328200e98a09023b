#include "chat/template.h"

#include <algorithm>
#include <ctime>

#include "chat/builtin_templates.h"
#include "jinja/template.h"

namespace plm::chat {
namespace {

const BuiltinTemplate* find_builtin(std::string_view name) {
  const auto all = builtin_templates();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// A word cannot be a template: it would say the same to everybody.
bool is_name(std::string_view chosen) { return chosen.find_first_of("{}\n ") == std::string_view::npos; }

Error unknown_name(std::string_view name) {
  std::string known;
  for (const BuiltinTemplate& one : builtin_templates()) {
    if (!known.empty()) known += ", ";
    known += one.name;
  }
  return make_error(ErrorKind::invalid_argument,
                    "chat template: found '{}', expected one of {}, or the text of a template", name, known);
}

}  // namespace

struct Template::State {
  std::string name;
  std::string source;
  jinja::Template parsed;
  std::string bos_text, eos_text;
  bool adds_bos, adds_eos;  // by the tokenizer, so the text must not have them

  Result<std::string> render(const Json& messages, const TemplateInputs& inputs) const;
};

Template::Template(std::unique_ptr<State> state) : state_(std::move(state)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::create(const tokenizer::Tokenizer& tokenizer, std::string_view chosen) {
  std::string name, source = tokenizer.chat_template();
  std::string_view where = "tokenizer.chat_template";
  if (chosen.empty() && source.empty()) chosen = kPlainTemplate;
  if (!chosen.empty()) {
    where = "chat template";
    source = chosen;
    if (is_name(chosen)) {
      const BuiltinTemplate* builtin = find_builtin(chosen);
      if (builtin == nullptr) return unknown_name(chosen);
      name = builtin->name;
      source = builtin->source;
    }
  }
  PLM_TRY(jinja::Template parsed, jinja::Template::parse(where, source));
  const auto text_of = [&](std::optional<tokenizer::TokenId> id) {
    return id ? std::string(tokenizer.token_text(*id)) : std::string();
  };
  return Template(std::make_unique<State>(State{.name = std::move(name),
                                                .source = std::move(source),
                                                .parsed = std::move(parsed),
                                                .bos_text = text_of(tokenizer.bos()),
                                                .eos_text = text_of(tokenizer.eos()),
                                                .adds_bos = tokenizer.adds_bos(),
                                                .adds_eos = tokenizer.adds_eos()}));
}

// The variables are those of transformers' apply_chat_template.
Result<std::string> Template::State::render(const Json& messages, const TemplateInputs& inputs) const {
  Json variables = {{"messages", messages},  {"tools", inputs.tools},
                    {"documents", nullptr},  {"add_generation_prompt", inputs.add_generation_prompt},
                    {"bos_token", bos_text}, {"eos_token", eos_text}};
  for (const auto& [key, value] : inputs.more.items()) variables[key] = value;
  const auto converted = jinja::from_json(variables);
  if (!converted.ok()) return converted.error().with_context("the messages or tools of a chat");
  PLM_TRY(std::string text, parsed.render(converted->dict(), {.now = std::time(nullptr)}));
  if (adds_bos && !bos_text.empty() && text.starts_with(bos_text)) text.erase(0, bos_text.size());
  if (adds_eos && !eos_text.empty() && text.ends_with(eos_text)) text.resize(text.size() - eos_text.size());
  return text;
}

Result<std::string> Template::render(std::span<const Message> messages, const TemplateInputs& inputs) const {
  Json json = Json::array();
  bool has_calls = false;
  for (const Message& message : messages) {
    json.push_back(message_to_json(message));
    has_calls = has_calls || json.back().contains("tool_calls");
  }
  auto text = state_->render(json, inputs);
  if (text.ok() || !has_calls) return text;
  // Some templates put the arguments of calls into the text as they are, and want a text.
  for (Json& message : json) {
    if (!message.contains("tool_calls")) continue;
    for (Json& call : message["tool_calls"]) {
      if (!call["function"].contains("arguments") || call["function"]["arguments"].is_string()) continue;
      call["function"]["arguments"] =
          call["function"]["arguments"].dump(-1, ' ', false, Json::error_handler_t::replace);
    }
  }
  auto second = state_->render(json, inputs);
  return second.ok() ? second : text;
}

std::string Template::opening(std::span<const Message> messages, const TemplateInputs& inputs) const {
  TemplateInputs closed = inputs;
  closed.add_generation_prompt = false;
  std::vector<Message> talk;
  if (!messages.empty() && messages.front().role == "system") talk.push_back(messages.front());
  const auto render_with = [&](std::initializer_list<Message> turns) {
    std::vector<Message> all = talk;
    all.insert(all.end(), turns);
    return render(all, closed);
  };
  // The text before a question's first turn ends with the head of that turn. The head is what stands between
  // an answer and the next question.
  const Message question = {.role = "user", .content = "Q"}, other = {.role = "user", .content = "R"};
  const Message answer = {.role = "assistant", .content = "A"};
  const auto asked = render_with({question}), asked_other = render_with({other});
  const auto answered = render_with({question, answer}),
             asked_again = render_with({question, answer, question});
  const auto asked_again_other = render_with({question, answer, other});
  if (!asked.ok() || !asked_other.ok() || !answered.ok() || !asked_again.ok() || !asked_again_other.ok())
    return {};
  const auto common = [](const std::string& a, const std::string& b) {
    return a.substr(
        0, static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin()));
  };
  std::string before = common(*asked, *asked_other);
  const std::string again = common(*asked_again, *asked_again_other);
  if (!again.starts_with(*answered)) return {};
  const std::string head = again.substr(answered->size());
  if (!before.ends_with(head)) return {};
  before.resize(before.size() - head.size());
  return before;
}

std::vector<std::string> Template::stop_texts() const {
  if (state_->name == kPlainTemplate) return {"\nUser:"};
  return {};
}

std::string_view Template::name() const { return state_->name; }
const std::string& Template::source() const { return state_->source; }
bool Template::knows_tools() const { return state_->source.find("tools") != std::string::npos; }

std::vector<std::string_view> template_names() {
  std::vector<std::string_view> names;
  for (const BuiltinTemplate& one : builtin_templates()) names.push_back(one.name);
  return names;
}

}  // namespace plm::chat
