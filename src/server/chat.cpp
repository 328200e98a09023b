// /v1/chat/completions.
#include "server/api.h"
#include "server/chat_prompt.h"

namespace plm::server {

namespace {

using scheduler::Outcome;
using scheduler::Piece;
using scheduler::ScoredToken;
using tokenizer::Tokenizer;

Json token_json(const Tokenizer& tokenizer, tokenizer::TokenId id, float log_probability) {
  const std::string_view text = tokenizer.token_bytes(id);
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", text}, {"logprob", log_probability}, {"bytes", std::move(bytes)}};
}

class ChatFormat final : public AnswerFormat {
 public:
  struct Shape {
    std::string id, model;
    bool tells_logprobs = false, includes_usage = false;
    size_t n = 1;
  };

  ChatFormat(Shape shape, const Tokenizer& tokenizer)
      : shape_(std::move(shape)), tokenizer_(tokenizer), created_(seconds_since_1970()) {}

  Json whole(std::span<const Whole> answers, const Totals& totals) override {
    Json choices = Json::array();
    for (size_t i = 0; i < answers.size(); ++i) {
      choices.push_back({{"index", i},
                         {"message", {{"role", "assistant"}, {"content", answers[i].text}}},
                         {"logprobs", logprobs(answers[i].tokens)},
                         {"finish_reason", finish_reason(answers[i].outcome)}});
    }
    Json json = envelope("chat.completion", std::move(choices));
    json["usage"] = usage_json(totals);
    json["timings"] = timings_json(answers.back().outcome);
    return json;
  }

  std::string begin() override {
    std::string text;
    for (size_t i = 0; i < shape_.n; ++i)
      text += event(i, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
    return text;
  }
  std::string piece(size_t index, const Piece& piece) override {
    if (piece.text.empty() && !shape_.tells_logprobs) return {};
    return event(index, {{"content", piece.text}}, logprobs(piece.tokens), nullptr);
  }
  std::string end(size_t index, const Outcome& outcome) override {
    return event(index, Json::object(), nullptr, finish_reason(outcome));
  }
  std::string finish(const Totals& totals, const Outcome& last) override {
    std::string text;
    if (shape_.includes_usage) {
      Json json = envelope("chat.completion.chunk", Json::array());
      json["usage"] = usage_json(totals);
      json["timings"] = timings_json(last);
      text = server_event(json);
    }
    return text + "data: [DONE]\n\n";
  }

 private:
  Json envelope(std::string_view object, Json choices) const {
    return {{"id", shape_.id},
            {"object", object},
            {"created", created_},
            {"model", shape_.model},
            {"choices", std::move(choices)}};
  }
  std::string event(size_t index, Json delta, Json logprobs, Json reason) const {
    return server_event(
        envelope("chat.completion.chunk", Json::array({{{"index", index},
                                                        {"delta", std::move(delta)},
                                                        {"logprobs", std::move(logprobs)},
                                                        {"finish_reason", std::move(reason)}}})));
  }
  Json logprobs(std::span<const ScoredToken> tokens) const {
    if (!shape_.tells_logprobs) return nullptr;
    Json content = Json::array();
    for (const ScoredToken& token : tokens) {
      Json json = token_json(tokenizer_, token.id, *token.log_probability);
      Json top = Json::array();
      for (const auto& [id, number] : token.top) top.push_back(token_json(tokenizer_, id, number));
      json["top_logprobs"] = std::move(top);
      content.push_back(std::move(json));
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
  }

  Shape shape_;
  const Tokenizer& tokenizer_;
  int64_t created_;
};

// What a client may ask for and would miss if it were passed over.
Status refuse_unsupported(const Fields& fields) {
  for (const std::string_view name : {"functions", "grammar", "json_schema", "audio"}) {
    const Json* value = fields.find(name);
    if (value != nullptr && !value->empty()) {
      return make_error(ErrorKind::unsupported, "field {}: not supported by this server", name);
    }
  }
  const Json* format = fields.find("response_format");
  if (format == nullptr) return {};
  if (!format->is_object()) return fields.wrong("response_format", "an object");
  PLM_TRY(const std::string type, Fields(*format, "response_format.").text("type", "text"));
  if (type == "text") return {};
  return make_error(ErrorKind::unsupported, "field response_format: only the type text is supported");
}

}  // namespace

void Api::chat_completions(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    PLM_TRY_STATUS(refuse_unsupported(fields));
    PLM_TRY(Generation generation, read_generation(fields, options_.sampling, tokenizer()));
    PLM_TRY(const bool tells_logprobs, fields.boolean("logprobs", false));
    PLM_TRY(const int64_t n_top, fields.integer("top_logprobs", 0, 0, kMaxTopLogprobs));
    generation.request.n_top = tells_logprobs ? static_cast<int>(n_top) : -1;
    PLM_TRY(ChatPrompt prompt, render_chat(fields, template_, options_.template_variables));
    for (std::string& text : prompt.stop_texts) generation.request.stop_texts.push_back(std::move(text));
    PLM_TRY(auto tokens, prompt_tokens(prompt.text));
    ChatFormat format({.id = new_id("chatcmpl-"),
                       .model = options_.model_name,
                       .tells_logprobs = tells_logprobs,
                       .includes_usage = generation.includes_usage,
                       .n = static_cast<size_t>(generation.n)},
                      tokenizer());
    answer(exchange, generation, {std::move(tokens)}, format);
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
