// /v1/messages, the text of it: Anthropic's form of a chat.
#include "server/api.h"
#include "server/chat_prompt.h"

namespace plm::server {

namespace {

using scheduler::FinishReason;
using scheduler::Outcome;
using scheduler::Piece;

class MessageFormat final : public AnswerFormat {
 public:
  explicit MessageFormat(std::string model) : id_(new_id("msg_")), model_(std::move(model)) {}

  Json whole(std::span<const Whole> answers, const Totals& totals) override {
    Json json = message(Json::array({{{"type", "text"}, {"text", answers.front().text}}}));
    json.update(stop(answers.front().outcome));
    json["usage"] = usage(totals);
    return json;
  }

  std::string begin() override {
    Json started = message(Json::array());
    started["usage"] = usage({});
    return event({{"type", "message_start"}, {"message", std::move(started)}}) +
           event({{"type", "content_block_start"},
                  {"index", 0},
                  {"content_block", {{"type", "text"}, {"text", ""}}}});
  }
  std::string piece(size_t, const Piece& piece) override {
    if (piece.text.empty()) return {};
    return event({{"type", "content_block_delta"},
                  {"index", 0},
                  {"delta", {{"type", "text_delta"}, {"text", piece.text}}}});
  }
  std::string end(size_t, const Outcome&) override {
    return event({{"type", "content_block_stop"}, {"index", 0}});
  }
  std::string finish(const Totals& totals, const Outcome& last) override {
    return event({{"type", "message_delta"}, {"delta", stop(last)}, {"usage", usage(totals)}}) +
           event({{"type", "message_stop"}});
  }
  std::string failure(int status, std::string_view message) override {
    Json json = {{"type", "error"}};
    json.update(error_json(status, message));
    return event(json);
  }

 private:
  Json message(Json content) const {
    return {{"id", id_},          {"type", "message"},      {"role", "assistant"},     {"model", model_},
            {"content", content}, {"stop_reason", nullptr}, {"stop_sequence", nullptr}};
  }
  static Json stop(const Outcome& outcome) {
    const bool at_text = outcome.reason == FinishReason::stop_text;
    const std::string_view reason = at_text                                             ? "stop_sequence"
                                    : outcome.reason == FinishReason::end_of_generation ? "end_turn"
                                                                                        : "max_tokens";
    return {{"stop_reason", reason}, {"stop_sequence", at_text ? Json(outcome.stop_text) : Json(nullptr)}};
  }
  static Json usage(const Totals& totals) {
    return {{"input_tokens", totals.n_prompt - totals.n_cached},
            {"cache_creation_input_tokens", 0},
            {"cache_read_input_tokens", totals.n_cached},
            {"output_tokens", totals.n_answer}};
  }
  static std::string event(const Json& json) { return server_event(json, json["type"].get<std::string>()); }

  std::string id_, model_;
};

// The request as /v1/chat/completions would have it.
Result<Json> as_chat(const Json& body) {
  const Fields fields(body);
  if (const Json* tools = fields.find("tools"); tools != nullptr && !tools->empty()) {
    return make_error(ErrorKind::unsupported, "field tools: not supported under this path");
  }
  const Json* given = fields.find("messages");
  if (given == nullptr || !given->is_array() || given->empty()) {
    return fields.wrong("messages", "a list of messages");
  }
  Json messages = Json::array();
  if (const Json* system = fields.find("system"); system != nullptr) {
    messages.push_back({{"role", "system"}, {"content", *system}});
  }
  for (const Json& message : *given) messages.push_back(message);
  Json chat = body;
  chat["messages"] = std::move(messages);
  if (const Json* stops = fields.find("stop_sequences"); stops != nullptr) {
    if (!stops->is_array()) return fields.wrong("stop_sequences", "a list of strings");
    chat["stop"] = *stops;
  }
  return chat;
}

}  // namespace

void Api::messages(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    if (!fields.has("max_tokens")) return fields.wrong("max_tokens", "a whole number");
    PLM_TRY_STATUS(fields.integer("max_tokens", 1, 1, INT32_MAX));
    PLM_TRY(const Json chat, as_chat(exchange.body));
    MessageFormat format(options_.model_name);
    return answer_chat(exchange, chat, format);
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

void Api::count_tokens(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    PLM_TRY(const Json chat, as_chat(exchange.body));
    PLM_TRY(const ChatPrompt prompt, render_chat(Fields(chat), template_, options_.template_variables));
    PLM_TRY(const auto tokens, prompt_tokens(prompt.text));
    exchange.send(200, {{"input_tokens", tokens.size()}});
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
