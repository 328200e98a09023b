// /v1/messages: Anthropic's form of a chat.
#include <algorithm>

#include "server/api.h"
#include "server/chat_forms.h"

namespace plm::server {

namespace {

using scheduler::FinishReason;
using scheduler::Outcome;
using scheduler::Piece;

// What was said so far is a list of blocks, of which the last may be open.
class MessageFormat final : public AnswerFormat {
 public:
  // `stop_sequences`: those the client named, or null; a template may have more.
  MessageFormat(std::string model, const Json& stop_sequences, int64_t n_prompt, AnswerReader reader)
      : id_(new_id("msg_")),
        model_(std::move(model)),
        stop_sequences_(stop_sequences),
        n_prompt_(n_prompt),
        reader_(std::move(reader)) {}

  Json whole(std::span<const Whole> answers, const Totals& totals) override {
    // The same blocks as in a stream; its events are not needed.
    told(reader_.push(answers.front().text));
    end(0, answers.front().outcome);
    Json json = message(blocks_);
    json.update(stop(answers.front().outcome));
    json["usage"] = usage(totals);
    return json;
  }

  std::string begin() override {
    Json started = message(Json::array());
    // What of it comes from the store is known at the end.
    started["usage"] = usage({.n_prompt = n_prompt_});
    return event({{"type", "message_start"}, {"message", std::move(started)}});
  }
  std::string piece(size_t, const Piece& piece) override { return told(reader_.push(piece.text)); }
  std::string end(size_t, const Outcome&) override {
    std::string text = told(reader_.finish());
    if (blocks_.empty()) text += open({{"type", "text"}, {"text", ""}});
    return text + close();
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
  std::string told(const AnswerReader::Part& part) {
    std::string text;
    if (!part.content.empty()) {
      if (!is_open_) text += open({{"type", "text"}, {"text", ""}});
      auto& said = blocks_.back()["text"].get_ref<std::string&>();
      said += part.content;
      text += delta({{"type", "text_delta"}, {"text", part.content}});
    }
    for (const chat::ToolCall& call : part.calls) {
      text += close();
      text += open(
          {{"type", "tool_use"}, {"id", new_id("toolu_")}, {"name", call.name}, {"input", Json::object()}});
      text += delta({{"type", "input_json_delta"}, {"partial_json", call.arguments}});
      blocks_.back()["input"] = Json::parse(call.arguments, nullptr, /*allow_exceptions=*/false);
      text += close();
      has_calls_ = true;
    }
    return text;
  }
  std::string open(Json block) {
    is_open_ = true;
    blocks_.push_back(std::move(block));
    return event(
        {{"type", "content_block_start"}, {"index", blocks_.size() - 1}, {"content_block", blocks_.back()}});
  }
  std::string delta(Json json) const {
    return event(
        {{"type", "content_block_delta"}, {"index", blocks_.size() - 1}, {"delta", std::move(json)}});
  }
  std::string close() {
    if (!std::exchange(is_open_, false)) return {};
    return event({{"type", "content_block_stop"}, {"index", blocks_.size() - 1}});
  }

  Json message(Json content) const {
    return {{"id", id_},
            {"type", "message"},
            {"role", "assistant"},
            {"model", model_},
            {"content", std::move(content)},
            {"stop_reason", nullptr},
            {"stop_sequence", nullptr}};
  }
  Json stop(const Outcome& outcome) const {
    const bool at_text = outcome.reason == FinishReason::stop_text;
    std::string_view reason = "max_tokens";
    if (at_text || outcome.reason == FinishReason::end_of_generation) {
      const bool was_named =
          at_text && std::ranges::find(stop_sequences_, Json(outcome.stop_text)) != stop_sequences_.end();
      reason = has_calls_ ? "tool_use" : was_named ? "stop_sequence" : "end_turn";
    }
    const bool tells_text = reason == "stop_sequence";
    return {{"stop_reason", reason}, {"stop_sequence", tells_text ? Json(outcome.stop_text) : Json(nullptr)}};
  }
  static Json usage(const Totals& totals) {
    return {{"input_tokens", totals.n_prompt - totals.n_cached},
            {"cache_creation_input_tokens", 0},
            {"cache_read_input_tokens", totals.n_cached},
            {"output_tokens", totals.n_answer}};
  }
  static std::string event(const Json& json) { return server_event(json, json["type"].get<std::string>()); }

  std::string id_, model_;
  Json stop_sequences_;
  int64_t n_prompt_;
  AnswerReader reader_;
  Json blocks_ = Json::array();
  bool is_open_ = false, has_calls_ = false;
};

}  // namespace

void Api::messages(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    if (!fields.has("max_tokens")) return fields.wrong("max_tokens", "a whole number");
    PLM_TRY_STATUS(fields.integer("max_tokens", 1, 1, INT32_MAX));
    PLM_TRY(const Json chat, chat_from_messages(exchange.body));
    return answer_chat(exchange, chat, [&](AnswerReader reader, int64_t n_prompt) {
      return std::make_unique<MessageFormat>(options_.model_name, chat.value("stop", Json()), n_prompt,
                                             std::move(reader));
    });
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

void Api::count_tokens(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    PLM_TRY(const Json chat, chat_from_messages(exchange.body));
    PLM_TRY(const ChatPrompt prompt, render_chat(Fields(chat), template_, options_.template_variables));
    PLM_TRY(const auto tokens, prompt_tokens(prompt.text, SIZE_MAX));
    exchange.send(200, {{"input_tokens", tokens.size()}});
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
