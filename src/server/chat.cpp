// /v1/chat/completions.
#include "chat/tool_calls.h"
#include "server/api.h"
#include "server/chat_prompt.h"
#include "server/grammar_fields.h"

namespace plm::server {

namespace {

using scheduler::Outcome;
using scheduler::Piece;
using scheduler::ScoredToken;
using tokenizer::Tokenizer;

using chat::ToolCallReader;

Json call_json(const chat::ToolCall& call) {
  return {{"id", new_id("call_")},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

class ChatFormat final : public AnswerFormat {
 public:
  struct Shape {
    std::string id, model;
    bool tells_logprobs = false, includes_usage = false;
    bool has_tools = false;  // calls are told from text
    size_t n = 1;
  };

  ChatFormat(Shape shape, const Tokenizer& tokenizer)
      : shape_(std::move(shape)), tokenizer_(tokenizer), created_(seconds_since_1970()), streams_(shape_.n) {}

  Json whole(std::span<const Whole> answers, const Totals& totals) override {
    Json choices = Json::array();
    for (size_t i = 0; i < answers.size(); ++i) {
      size_t n_calls = 0;
      Json message = whole_message(answers[i].text, n_calls);
      choices.push_back({{"index", i},
                         {"message", std::move(message)},
                         {"logprobs", logprobs(answers[i].tokens)},
                         {"finish_reason", reason(answers[i].outcome, n_calls)}});
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
    if (shape_.has_tools) return told(index, streams_[index].reader.push(piece.text), logprobs(piece.tokens));
    if (piece.text.empty() && !shape_.tells_logprobs) return {};
    return event(index, {{"content", piece.text}}, logprobs(piece.tokens), nullptr);
  }
  std::string end(size_t index, const Outcome& outcome) override {
    std::string text;
    if (shape_.has_tools) text = told(index, streams_[index].reader.finish(), nullptr);
    return text + event(index, Json::object(), nullptr, reason(outcome, streams_[index].n_calls),
                        timings_json(outcome));
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
  struct Stream {
    ToolCallReader reader;
    size_t n_calls = 0;
  };

  static std::string_view reason(const Outcome& outcome, size_t n_calls) {
    const std::string_view plain = finish_reason(outcome);
    return n_calls > 0 && plain == "stop" ? "tool_calls" : plain;
  }

  Json whole_message(const std::string& text, size_t& n_calls) const {
    if (!shape_.has_tools) return {{"role", "assistant"}, {"content", text}};
    ToolCallReader reader;
    ToolCallReader::Part all = reader.push(text), rest = reader.finish();
    all.content += rest.content;
    all.calls.insert(all.calls.end(), rest.calls.begin(), rest.calls.end());
    n_calls = all.calls.size();
    Json message = {{"role", "assistant"}, {"content", all.content}};
    if (n_calls == 0) return message;
    if (all.content.empty()) message["content"] = nullptr;
    message["tool_calls"] = Json::array();
    for (const chat::ToolCall& call : all.calls) message["tool_calls"].push_back(call_json(call));
    return message;
  }

  // Text first, then each call as a whole. Log-probabilities go with the first event.
  std::string told(size_t index, const ToolCallReader::Part& part, Json logprobs_json) {
    std::string events;
    if (!part.content.empty() || (part.calls.empty() && !logprobs_json.is_null())) {
      events = event(index, {{"content", part.content}}, std::move(logprobs_json), nullptr);
      logprobs_json = nullptr;
    }
    for (const chat::ToolCall& call : part.calls) {
      Json json = call_json(call);
      json["index"] = streams_[index].n_calls++;
      events +=
          event(index, {{"tool_calls", Json::array({std::move(json)})}}, std::move(logprobs_json), nullptr);
      logprobs_json = nullptr;
    }
    return events;
  }

  Json envelope(std::string_view object, Json choices) const {
    return {{"id", shape_.id},
            {"object", object},
            {"created", created_},
            {"model", shape_.model},
            {"system_fingerprint", build_info()},
            {"choices", std::move(choices)}};
  }
  std::string event(size_t index, Json delta, Json logprobs, Json reason, Json timings = nullptr) const {
    Json json = envelope("chat.completion.chunk", Json::array({{{"index", index},
                                                                {"delta", std::move(delta)},
                                                                {"logprobs", std::move(logprobs)},
                                                                {"finish_reason", std::move(reason)}}}));
    if (!timings.is_null()) json["timings"] = std::move(timings);
    return server_event(json);
  }
  Json logprobs(std::span<const ScoredToken> tokens) const {
    if (!shape_.tells_logprobs) return nullptr;
    return {{"content", logprobs_json(tokens, tokenizer_)}, {"refusal", nullptr}};
  }

  Shape shape_;
  const Tokenizer& tokenizer_;
  int64_t created_;
  std::vector<Stream> streams_;  // of each choice
};

// What a client may ask for and would miss if it were passed over.
Status refuse_unsupported(const Fields& fields) {
  for (const std::string_view name : {"functions", "audio"}) {
    const Json* value = fields.find(name);
    if (value != nullptr && !value->empty()) {
      return make_error(ErrorKind::unsupported, "field {}: not supported by this server", name);
    }
  }
  return {};
}

// Of the request, or of the tools where one must be called.
Result<std::optional<grammar::Grammar>> chat_grammar(const Fields& fields, const ChatPrompt& prompt) {
  PLM_TRY(auto grammar, read_grammar(fields));
  if (!prompt.must_call) return grammar;
  if (grammar) {
    return make_error(ErrorKind::invalid_argument,
                      "field tool_choice: a call and a grammar or response_format exclude each other");
  }
  PLM_TRY(grammar, call_grammar(prompt.tools, *prompt.must_call));
  return grammar;
}

}  // namespace

Result<ChatPrompt> Api::begin_chat(const Fields& fields, Generation& generation) const {
  PLM_TRY(ChatPrompt prompt, render_chat(fields, template_, options_.template_variables));
  PLM_TRY(const auto grammar, chat_grammar(fields, prompt));
  PLM_TRY_STATUS(constrain(generation, grammar));
  auto& stop_texts = generation.request.stop_texts;
  stop_texts.insert(stop_texts.end(), prompt.stop_texts.begin(), prompt.stop_texts.end());
  PLM_TRY(const bool may_call_more, fields.boolean("parallel_tool_calls", true));
  // A call that lacks nothing but its closing tag is read as one.
  if (!may_call_more && !prompt.tools.is_null()) stop_texts.emplace_back(chat::kToolCallEnd);
  return prompt;
}

void Api::chat_completions(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    PLM_TRY_STATUS(refuse_unsupported(fields));
    PLM_TRY(Generation generation, read_generation(fields, options_.sampling, tokenizer()));
    PLM_TRY(const bool tells_logprobs, fields.boolean("logprobs", false));
    PLM_TRY(const int64_t n_top, fields.integer("top_logprobs", 0, 0, kMaxTopLogprobs));
    generation.request.n_top = tells_logprobs ? static_cast<int>(n_top) : -1;
    PLM_TRY(const ChatPrompt prompt, begin_chat(fields, generation));
    PLM_TRY(auto tokens, prompt_tokens(prompt.text));
    ChatFormat format({.id = new_id("chatcmpl-"),
                       .model = options_.model_name,
                       .tells_logprobs = tells_logprobs,
                       .includes_usage = generation.includes_usage,
                       .has_tools = !prompt.tools.is_null(),
                       .n = static_cast<size_t>(generation.n)},
                      tokenizer());
    answer(exchange, generation, {std::move(tokens)}, format);
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
