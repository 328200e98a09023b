// /v1/responses, the text of it: OpenAI's newer form of a chat.
#include "server/api.h"
#include "server/chat_prompt.h"

namespace plm::server {

namespace {

using scheduler::Outcome;
using scheduler::Piece;

class ResponseFormat final : public AnswerFormat {
 public:
  // `request`: the body, whose settings a response repeats.
  ResponseFormat(std::string model, const Json& request)
      : id_(new_id("resp_")),
        item_id_(new_id("msg_")),
        model_(std::move(model)),
        request_(request),
        created_(seconds_since_1970()) {}

  Json whole(std::span<const Whole> answers, const Totals& totals) override {
    return response(answers.front().text, &answers.front().outcome, totals);
  }

  std::string begin() override {
    const Json started = response("", nullptr, {});
    std::string text = event("response.created", {{"response", started}});
    text += event("response.in_progress", {{"response", started}});
    text += event("response.output_item.added", {{"output_index", 0}, {"item", item("", nullptr)}});
    return text + event("response.content_part.added", place({{"part", part("")}}));
  }
  std::string piece(size_t, const Piece& piece) override {
    if (piece.text.empty()) return {};
    text_ += piece.text;
    return event("response.output_text.delta", place({{"delta", piece.text}, {"logprobs", Json::array()}}));
  }
  std::string end(size_t, const Outcome& outcome) override {
    std::string text =
        event("response.output_text.done", place({{"text", text_}, {"logprobs", Json::array()}}));
    text += event("response.content_part.done", place({{"part", part(text_)}}));
    return text + event("response.output_item.done", {{"output_index", 0}, {"item", item(text_, &outcome)}});
  }
  std::string finish(const Totals& totals, const Outcome& last) override {
    const std::string_view name = is_cut(last) ? "response.incomplete" : "response.completed";
    return event(name, {{"response", response(text_, &last, totals)}});
  }
  std::string failure(int status, std::string_view message) override {
    return event("error", {{"code", fmt::format("{}", status)}, {"message", message}, {"param", nullptr}});
  }

 private:
  static bool is_cut(const Outcome& outcome) { return finish_reason(outcome) == "length"; }
  static Json part(std::string_view text) {
    return {
        {"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
  }
  // Of an answer, and of all the response. Null: still under way.
  static std::string_view status(const Outcome* outcome) {
    return outcome == nullptr ? "in_progress" : is_cut(*outcome) ? "incomplete" : "completed";
  }
  Json item(std::string_view text, const Outcome* outcome) const {
    return {{"id", item_id_},
            {"type", "message"},
            {"status", status(outcome)},
            {"role", "assistant"},
            {"content", outcome != nullptr ? Json::array({part(text)}) : Json::array()}};
  }
  Json place(const Json& fields) const {
    Json json = {{"item_id", item_id_}, {"output_index", 0}, {"content_index", 0}};
    json.update(fields);
    return json;
  }
  Json response(std::string_view text, const Outcome* outcome, const Totals& totals) const {
    const auto repeated = [&](const char* name) {
      const auto found = request_.find(name);
      return found == request_.end() ? Json(nullptr) : *found;
    };
    Json json = {{"id", id_},
                 {"object", "response"},
                 {"created_at", created_},
                 {"status", status(outcome)},
                 {"error", nullptr},
                 {"incomplete_details", nullptr},
                 {"instructions", repeated("instructions")},
                 {"max_output_tokens", repeated("max_output_tokens")},
                 {"model", model_},
                 {"output", outcome == nullptr ? Json::array() : Json::array({item(text, outcome)})},
                 {"parallel_tool_calls", false},
                 {"temperature", repeated("temperature")},
                 {"tool_choice", "none"},
                 {"tools", Json::array()},
                 {"top_p", repeated("top_p")},
                 {"metadata", repeated("metadata")},
                 {"usage", nullptr}};
    if (outcome == nullptr) return json;
    if (is_cut(*outcome)) json["incomplete_details"] = {{"reason", "max_output_tokens"}};
    json["usage"] = {{"input_tokens", totals.n_prompt},
                     {"input_tokens_details", {{"cached_tokens", totals.n_cached}}},
                     {"output_tokens", totals.n_answer},
                     {"output_tokens_details", {{"reasoning_tokens", 0}}},
                     {"total_tokens", totals.n_prompt + totals.n_answer}};
    return json;
  }
  std::string event(std::string_view type, const Json& fields) {
    Json json = {{"type", type}, {"sequence_number", n_events_++}};
    json.update(fields);
    return server_event(json, type);
  }

  std::string id_, item_id_, model_;
  const Json& request_;
  int64_t created_;
  int64_t n_events_ = 0;
  std::string text_;
};

// What a client may ask for and would miss if it were passed over.
Status refuse_unsupported(const Fields& fields) {
  for (const std::string_view name : {"tools", "previous_response_id", "conversation", "prompt"}) {
    const Json* value = fields.find(name);
    if (value != nullptr && !value->empty()) {
      return make_error(ErrorKind::unsupported, "field {}: not supported under this path", name);
    }
  }
  PLM_TRY(const bool in_background, fields.boolean("background", false));
  if (in_background) return make_error(ErrorKind::unsupported, "field background: only false is supported");
  const Json* text = fields.find("text");
  if (text == nullptr) return {};
  if (!text->is_object()) return fields.wrong("text", "an object");
  const Json* format = Fields(*text).find("format");
  if (format == nullptr) return {};
  if (!format->is_object()) return Fields(*text, "text.").wrong("format", "an object");
  PLM_TRY(const std::string type, Fields(*format, "text.format.").text("type", "text"));
  if (type == "text") return {};
  return make_error(ErrorKind::unsupported, "field text.format: only the type text is supported");
}

// The request as /v1/chat/completions would have it.
Result<Json> as_chat(const Json& body) {
  const Fields fields(body);
  Json messages = Json::array();
  PLM_TRY(const std::string instructions, fields.text("instructions", ""));
  if (!instructions.empty()) messages.push_back({{"role", "system"}, {"content", instructions}});
  constexpr std::string_view kForms = "a string or a list of messages";
  const Json* input = fields.find("input");
  if (input == nullptr || input->empty()) return fields.wrong("input", kForms);
  if (input->is_string()) {
    messages.push_back({{"role", "user"}, {"content", *input}});
  } else if (input->is_array()) {
    for (const Json& item : *input) {
      if (item.is_object() && Fields(item).has("type") && *Fields(item).find("type") != "message") {
        return make_error(ErrorKind::unsupported,
                          "field input: only items of the type message are supported");
      }
      messages.push_back(item);
    }
  } else {
    return fields.wrong("input", kForms);
  }
  Json chat = body;
  chat["messages"] = std::move(messages);
  for (const char* other : {"n_predict", "max_completion_tokens"}) chat.erase(other);
  PLM_TRY(const int64_t most, fields.integer("max_output_tokens", -1, 1, INT32_MAX));
  chat["max_tokens"] = most;
  return chat;
}

}  // namespace

void Api::responses(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    PLM_TRY_STATUS(refuse_unsupported(Fields(exchange.body)));
    PLM_TRY(const Json chat, as_chat(exchange.body));
    ResponseFormat format(options_.model_name, exchange.body);
    return answer_chat(exchange, chat, format);
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
