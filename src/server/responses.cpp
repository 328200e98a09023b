// /v1/responses: OpenAI's newer form of a chat.
#include "server/api.h"
#include "server/chat_forms.h"

namespace plm::server {

namespace {

using scheduler::Outcome;
using scheduler::Piece;

Json text_part(std::string_view text) {
  return {
      {"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
}

bool is_cut(const Outcome& outcome) { return finish_reason(outcome) == "length"; }
std::string_view status_of(const Outcome& outcome) { return is_cut(outcome) ? "incomplete" : "completed"; }

// What was said so far is a list of items, of which the last may be a message that is open.
class ResponseFormat final : public AnswerFormat {
 public:
  // `request`: the body, whose settings a response repeats.
  ResponseFormat(std::string model, const Json& request, AnswerReader reader)
      : id_(new_id("resp_")),
        model_(std::move(model)),
        request_(request),
        created_(seconds_since_1970()),
        reader_(std::move(reader)) {}

  Json whole(std::span<const Whole> answers, const Totals& totals) override {
    // The same items as in a stream; its events are not needed.
    told(reader_.push(answers.front().text));
    end(0, answers.front().outcome);
    return ended(answers.front().outcome, totals);
  }

  std::string begin() override {
    const Json started = response("in_progress");
    std::string text = event("response.created", {{"response", started}});
    return text += event("response.in_progress", {{"response", started}});
  }
  std::string piece(size_t, const Piece& piece) override { return told(reader_.push(piece.text)); }
  std::string end(size_t, const Outcome& outcome) override {
    std::string text = told(reader_.finish());
    if (items_.empty()) text += open_message();
    return text + close_message(status_of(outcome));
  }
  std::string finish(const Totals& totals, const Outcome& last) override {
    return event(is_cut(last) ? "response.incomplete" : "response.completed",
                 {{"response", ended(last, totals)}});
  }
  std::string failure(int status, std::string_view message) override {
    return event("error", {{"code", fmt::format("{}", status)}, {"message", message}, {"param", nullptr}});
  }

 private:
  std::string told(const AnswerReader::Part& part) {
    std::string text;
    if (!part.content.empty()) {
      if (!is_open_) text += open_message();
      said_ += part.content;
      text += event("response.output_text.delta",
                    part_place({{"delta", part.content}, {"logprobs", Json::array()}}));
    }
    for (const chat::ToolCall& call : part.calls) {
      text += close_message("completed");
      text += add_call(call);
    }
    return text;
  }

  // A call comes as a whole.
  std::string add_call(const chat::ToolCall& call) {
    items_.push_back({{"id", new_id("fc_")},
                      {"type", "function_call"},
                      {"status", "in_progress"},
                      {"call_id", new_id("call_")},
                      {"name", call.name},
                      {"arguments", ""}});
    std::string text = event("response.output_item.added", item_place());
    const Json place = {{"item_id", items_.back()["id"]}, {"output_index", items_.size() - 1}};
    Json delta = place, done = place;
    delta["delta"] = call.arguments;
    done["name"] = call.name;
    done["arguments"] = call.arguments;
    items_.back()["status"] = "completed";
    items_.back()["arguments"] = call.arguments;
    text += event("response.function_call_arguments.delta", delta);
    text += event("response.function_call_arguments.done", done);
    return text += event("response.output_item.done", item_place());
  }

  std::string open_message() {
    is_open_ = true;
    said_.clear();
    items_.push_back({{"id", new_id("msg_")},
                      {"type", "message"},
                      {"status", "in_progress"},
                      {"role", "assistant"},
                      {"content", Json::array()}});
    std::string text = event("response.output_item.added", item_place());
    return text += event("response.content_part.added", part_place({{"part", text_part("")}}));
  }
  std::string close_message(std::string_view status) {
    if (!std::exchange(is_open_, false)) return {};
    items_.back()["status"] = status;
    items_.back()["content"] = Json::array({text_part(said_)});
    std::string text =
        event("response.output_text.done", part_place({{"text", said_}, {"logprobs", Json::array()}}));
    text += event("response.content_part.done", part_place({{"part", text_part(said_)}}));
    return text += event("response.output_item.done", item_place());
  }

  // Of the last item.
  Json item_place() const { return {{"output_index", items_.size() - 1}, {"item", items_.back()}}; }
  Json part_place(const Json& fields) const {
    Json json = {{"item_id", items_.back()["id"]}, {"output_index", items_.size() - 1}, {"content_index", 0}};
    json.update(fields);
    return json;
  }

  Json response(std::string_view status) const {
    const auto repeated = [&](const char* name, const Json& otherwise = nullptr) {
      const auto found = request_.find(name);
      return found == request_.end() || found->is_null() ? otherwise : *found;
    };
    return {{"id", id_},
            {"object", "response"},
            {"created_at", created_},
            {"status", status},
            {"error", nullptr},
            {"incomplete_details", nullptr},
            {"instructions", repeated("instructions")},
            {"max_output_tokens", repeated("max_output_tokens")},
            {"model", model_},
            {"output", items_},
            {"parallel_tool_calls", repeated("parallel_tool_calls", true)},
            {"temperature", repeated("temperature")},
            {"text", repeated("text", {{"format", {{"type", "text"}}}})},
            {"tool_choice", repeated("tool_choice", "auto")},
            {"tools", repeated("tools", Json::array())},
            {"top_p", repeated("top_p")},
            {"metadata", repeated("metadata")},
            {"usage", nullptr}};
  }
  Json ended(const Outcome& outcome, const Totals& totals) const {
    Json json = response(status_of(outcome));
    if (is_cut(outcome)) json["incomplete_details"] = {{"reason", "max_output_tokens"}};
    json["usage"] = {{"input_tokens", totals.n_prompt},
                     {"input_tokens_details", {{"cached_tokens", totals.n_cached}}},
                     {"output_tokens", totals.n_answer},
                     {"output_tokens_details", {{"reasoning_tokens", 0}}},
                     {"total_tokens", totals.n_prompt + totals.n_answer}};
    return json;
  }
  // Numbers the events: one call after the other, never two in an expression.
  std::string event(std::string_view type, const Json& fields) {
    Json json = {{"type", type}, {"sequence_number", n_events_++}};
    json.update(fields);
    return server_event(json, type);
  }

  std::string id_, model_;
  const Json& request_;
  int64_t created_;
  int64_t n_events_ = 0;
  AnswerReader reader_;
  Json items_ = Json::array();
  bool is_open_ = false;
  std::string said_;  // of the open message
};

}  // namespace

void Api::responses(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    PLM_TRY(const Json chat, chat_from_responses(exchange.body));
    return answer_chat(exchange, chat, [&](AnswerReader reader, int64_t) {
      return std::make_unique<ResponseFormat>(options_.model_name, exchange.body, std::move(reader));
    });
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
