#include "server/ollama_forms.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace plm::server {

namespace {

Status refuse_images(const Fields& fields) {
  const Json* images = fields.find("images");
  if (images == nullptr) return {};
  if (!images->is_array()) return fields.wrong("images", "a list");
  if (images->empty()) return {};
  return make_error(ErrorKind::unsupported, "field images: the models served here see no images");
}

// "json", or a JSON schema.
Status add_format(const Fields& fields, Json& chat) {
  const Json* format = fields.find("format");
  if (format == nullptr) return {};
  if (*format == "json") {
    chat["response_format"] = {{"type", "json_object"}};
  } else if (format->is_object()) {
    chat["json_schema"] = *format;
  } else if (!format->is_string() || !format->get_ref<const std::string&>().empty()) {
    return fields.wrong("format", "json or a JSON schema");
  }
  return {};
}

// What of a request the chat template is told. How much is to be thought is more than templates know of.
Status add_thinking(const Fields& fields, Json& chat) {
  const Json* think = fields.find("think");
  if (think == nullptr) return {};
  const bool is_level = *think == "low" || *think == "medium" || *think == "high";
  if (!is_level && !think->is_boolean()) return fields.wrong("think", "true, false, low, medium or high");
  chat["chat_template_kwargs"] = {{"enable_thinking", is_level || think->get<bool>()}};
  return {};
}

Result<Json> begin(const Fields& fields) {
  Json chat = {{"messages", Json::array()}};
  PLM_TRY_STATUS(add_format(fields, chat));
  PLM_TRY_STATUS(add_thinking(fields, chat));
  return chat;
}

// A message's fields that have other names here.
Result<Json> chat_message(const Json& message, size_t index) {
  if (!message.is_object()) return message;  // refused where messages are read
  const Fields fields(message, fmt::format("messages[{}].", index));
  PLM_TRY_STATUS(refuse_images(fields));
  Json made = message;
  constexpr std::array<std::pair<const char*, const char*>, 2> kNames = {
      {{"tool_name", "name"}, {"thinking", "reasoning_content"}}};
  for (const auto& [theirs, ours] : kNames) {
    if (!fields.has(theirs) || fields.has(ours)) continue;
    PLM_TRY(made[ours], fields.text(theirs, ""));
  }
  return made;
}

}  // namespace

Result<Json> chat_from_ollama_chat(const Json& body) {
  const Fields fields(body);
  PLM_TRY(Json chat, begin(fields));
  for (const char* name : {"tools", "tool_choice"}) {
    if (const Json* value = fields.find(name); value != nullptr) chat[name] = *value;
  }
  const Json* messages = fields.find("messages");
  if (messages == nullptr) return chat;
  if (!messages->is_array()) return fields.wrong("messages", "a list of messages");
  for (size_t i = 0; i < messages->size(); ++i) {
    PLM_TRY(Json message, chat_message((*messages)[i], i));
    chat["messages"].push_back(std::move(message));
  }
  return chat;
}

Result<Json> chat_from_ollama_generate(const Json& body) {
  const Fields fields(body);
  PLM_TRY(Json chat, begin(fields));
  PLM_TRY_STATUS(refuse_images(fields));
  PLM_TRY(const bool is_raw, fields.boolean("raw", false));
  PLM_TRY(const std::string chosen, fields.text("template", ""));
  if (!chosen.empty()) {
    return make_error(ErrorKind::unsupported,
                      "field template: it is chosen when the server is started (--chat-template)");
  }
  PLM_TRY(const std::string suffix, fields.text("suffix", ""));
  if (!suffix.empty()) {
    return make_error(ErrorKind::unsupported,
                      "field suffix: the models served here are not taught to insert");
  }
  PLM_TRY(const std::string system, fields.text("system", ""));
  const Json* context = fields.find("context");
  if (context != nullptr && !context->is_array()) return fields.wrong("context", "a list of token ids");
  if (is_raw && (!system.empty() || (context != nullptr && !context->empty()))) {
    return make_error(ErrorKind::invalid_argument, "field raw: true excludes system and context");
  }
  PLM_TRY(const std::string prompt, fields.text("prompt", ""));
  if (prompt.empty()) return chat;
  if (!system.empty()) chat["messages"].push_back({{"role", "system"}, {"content", system}});
  chat["messages"].push_back({{"role", "user"}, {"content", prompt}});
  return chat;
}

Result<Generation> read_ollama_generation(const Fields& fields, const runtime::SamplerOptions& defaults,
                                          const tokenizer::Tokenizer& tokenizer) {
  PLM_TRY_STATUS(read_ollama_lifetime(fields));
  Json known = Json::object();
  int64_t length = -1;
  if (const Json* given = fields.find("options"); given != nullptr) {
    const Fields options(*given, "options.");
    for (const std::string_view name : kOllamaSameOptions) {
      if (const Json* value = options.find(name); value != nullptr) known[std::string(name)] = *value;
    }
    constexpr int64_t kFillsContext = -2;  // -1: without end, and so as long as the context here too
    PLM_TRY(length, options.integer("num_predict", -1, kFillsContext, INT32_MAX));
  }
  PLM_TRY(Generation made, read_generation(Fields(known, "options."), defaults, tokenizer));
  made.request.max_tokens = std::max<int64_t>(length, -1);
  PLM_TRY(made.streams, fields.boolean("stream", true));
  PLM_TRY(const bool tells_logprobs, fields.boolean("logprobs", false));
  PLM_TRY(const int64_t n_top, fields.integer("top_logprobs", 0, 0, kMaxTopLogprobs));
  made.request.n_top = tells_logprobs ? static_cast<int>(n_top) : -1;
  return made;
}

Result<bool> read_ollama_lifetime(const Fields& fields) {
  if (const Json* options = fields.find("options"); options != nullptr && !options->is_object()) {
    return fields.wrong("options", "an object");
  }
  const Json* keeps = fields.find("keep_alive");
  if (keeps == nullptr) return false;
  if (keeps->is_number()) return keeps->get<double>() == 0;
  if (!keeps->is_string()) return fields.wrong("keep_alive", "a number of seconds, or a text as 5m");
  const auto& text = keeps->get_ref<const std::string&>();
  return text.starts_with('0') && text.find_first_of("123456789") == std::string::npos;
}

}  // namespace plm::server
