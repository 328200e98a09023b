// /api/generate and /api/chat: Ollama's own form of a completion and of a chat.
#include "base/clock.h"
#include "server/api.h"
#include "server/grammar_fields.h"
#include "server/ollama.h"
#include "server/ollama_forms.h"

namespace plm::server {

namespace {

using scheduler::Outcome;
using scheduler::Piece;
using scheduler::ScoredToken;
using tokenizer::TokenId;
using tokenizer::Tokenizer;

enum class OllamaKind { generate, chat };

Json call_json(const chat::ToolCall& call, size_t index) {
  Json arguments = Json::parse(call.arguments, nullptr, /*allow_exceptions=*/false);
  if (!arguments.is_object()) arguments = Json::object();
  return {{"id", new_id("call_")},
          {"function", {{"index", index}, {"name", call.name}, {"arguments", std::move(arguments)}}}};
}

// A line of the reply, without what was said.
Json envelope(std::string_view model, bool is_done) {
  return {{"model", model}, {"created_at", rfc3339(std::chrono::system_clock::now())}, {"done", is_done}};
}

// Where Ollama has what was said.
void say(Json& json, OllamaKind kind, std::string_view text) {
  if (kind == OllamaKind::chat) {
    json["message"] = {{"role", "assistant"}, {"content", text}};
  } else {
    json["response"] = text;
  }
}

int64_t nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

// A line of JSON for each piece.
class OllamaFormat final : public AnswerFormat {
 public:
  struct Shape {
    OllamaKind kind;
    std::string model;
    bool tells_logprobs = false;
    std::vector<TokenId> context = {};  // the prompt, to which the answer is added; of generate
  };

  OllamaFormat(Shape shape, AnswerReader reader, const Tokenizer& tokenizer)
      : shape_(std::move(shape)), reader_(std::move(reader)), tokenizer_(tokenizer) {}

  std::string_view stream_type() const override { return "application/x-ndjson"; }
  std::string ping() const override { return " "; }  // a line of JSON may begin with it

  Json whole(std::span<const Whole> answers, const Totals& totals) override {
    const Whole& answer = answers.front();
    remember(answer.tokens);
    AnswerReader::Part part = reader_.push(answer.text), rest = reader_.finish();
    part.content += rest.content;
    part.calls.insert(part.calls.end(), rest.calls.begin(), rest.calls.end());
    Json json = envelope(shape_.model, /*is_done=*/true);
    tell(json, part, answer.tokens);
    json.update(last(totals, answer.outcome));
    return json;
  }

  std::string piece(size_t, const Piece& piece) override {
    remember(piece.tokens);
    return line(reader_.push(piece.text), piece.tokens);
  }
  std::string end(size_t, const Outcome&) override { return line(reader_.finish(), {}); }
  std::string finish(const Totals& totals, const Outcome& outcome) override {
    Json json = envelope(shape_.model, /*is_done=*/true);
    say(json, shape_.kind, "");
    json.update(last(totals, outcome));
    return dump(json) + "\n";
  }
  std::string failure(int, std::string_view message) override {
    return dump(Json{{"error", message}}) + "\n";
  }

 private:
  void remember(std::span<const ScoredToken> tokens) {
    if (shape_.kind == OllamaKind::chat) return;
    for (const ScoredToken& token : tokens) shape_.context.push_back(token.id);
  }

  void tell(Json& json, const AnswerReader::Part& part, std::span<const ScoredToken> tokens) {
    say(json, shape_.kind, part.content);
    for (const chat::ToolCall& call : part.calls) {
      json["message"]["tool_calls"].push_back(call_json(call, n_calls_++));
    }
    if (shape_.tells_logprobs && !tokens.empty()) json["logprobs"] = logprobs_json(tokens, tokenizer_);
  }

  std::string line(const AnswerReader::Part& part, std::span<const ScoredToken> tokens) {
    const bool tells_tokens = shape_.tells_logprobs && !tokens.empty();
    if (part.content.empty() && part.calls.empty() && !tells_tokens) return {};
    Json json = envelope(shape_.model, /*is_done=*/false);
    tell(json, part, tokens);
    return dump(json) + "\n";
  }

  Json last(const Totals& totals, const Outcome& outcome) const {
    Json json = {{"done_reason", finish_reason(outcome)},
                 {"total_duration", nanoseconds(seconds_now() - start_)},
                 {"load_duration", 0},
                 {"prompt_eval_count", totals.n_prompt},
                 {"prompt_eval_duration", nanoseconds(outcome.prompt_seconds)},
                 {"eval_count", totals.n_answer},
                 {"eval_duration", nanoseconds(outcome.answer_seconds)}};
    if (shape_.kind == OllamaKind::generate) json["context"] = shape_.context;
    return json;
  }

  Shape shape_;
  AnswerReader reader_;
  const Tokenizer& tokenizer_;
  double start_ = seconds_now();
  size_t n_calls_ = 0;
};

struct OllamaRequest {
  Generation generation;
  Json chat;
  // No answer is asked for, only whether the model is there. What else the request says is checked as it
  // would be with words, for which `chat` has a message then.
  bool is_load;
};

Result<OllamaRequest> read_request(const Json& body, Result<Json> (*chat_from)(const Json& body),
                                   const runtime::SamplerOptions& defaults, const Tokenizer& tokenizer) {
  PLM_TRY(Generation generation, read_ollama_generation(Fields(body), defaults, tokenizer));
  PLM_TRY(Json chat, chat_from(body));
  const bool is_load = chat["messages"].empty();
  if (is_load) chat["messages"].push_back({{"role", "user"}, {"content", ""}});
  return OllamaRequest{std::move(generation), std::move(chat), is_load};
}

Status send_loaded(Exchange& exchange, OllamaKind kind, std::string_view model) {
  PLM_TRY(const bool unloads, read_ollama_lifetime(Fields(exchange.body)));
  Json json = envelope(model, /*is_done=*/true);
  say(json, kind, "");
  json["done_reason"] = unloads ? "unload" : "load";
  exchange.send(200, json);
  return {};
}

}  // namespace

void Api::ollama_generate(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    PLM_TRY(OllamaRequest asked,
            read_request(exchange.body, chat_from_ollama_generate, options_.sampling, tokenizer()));
    Generation& generation = asked.generation;
    const Fields fields(exchange.body), chat_fields(asked.chat);
    PLM_TRY(const bool is_raw, fields.boolean("raw", false));
    const Json* context = fields.find("context");
    std::vector<TokenId> tokens;
    if (context != nullptr) {
      PLM_TRY(tokens, read_token_ids(*context, "context", tokenizer()));
    }
    const std::string name = ollama_name(options_.model_name);
    std::string text;
    if (is_raw) {
      PLM_TRY(const auto grammar, read_grammar(chat_fields));
      PLM_TRY_STATUS(constrain(generation, grammar));
      PLM_TRY(text, fields.text("prompt", ""));
    } else {
      PLM_TRY(ChatPrompt prompt, begin_chat(chat_fields, generation));
      text = std::move(prompt.text);
    }
    if (asked.is_load) return send_loaded(exchange, OllamaKind::generate, name);
    if (tokens.empty()) {
      PLM_TRY(tokens, prompt_tokens(text));
    } else {  // where the conversation goes on nothing begins
      const auto more =
          tokenizer().encode(text, {.add_special = false, .parse_special = true, .enough = enough_tokens()});
      tokens.insert(tokens.end(), more.begin(), more.end());
    }
    OllamaFormat format({.kind = OllamaKind::generate,
                         .model = name,
                         .tells_logprobs = generation.request.n_top >= 0,
                         .context = tokens},
                        AnswerReader(AnswerReader::Finds::words_alone), tokenizer());
    answer(exchange, generation, {std::move(tokens)}, format);
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

void Api::ollama_chat(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    PLM_TRY(OllamaRequest asked,
            read_request(exchange.body, chat_from_ollama_chat, options_.sampling, tokenizer()));
    Generation& generation = asked.generation;
    PLM_TRY(const ChatPrompt prompt, begin_chat(Fields(asked.chat), generation));
    const std::string name = ollama_name(options_.model_name);
    if (asked.is_load) return send_loaded(exchange, OllamaKind::chat, name);
    PLM_TRY(auto tokens, prompt_tokens(prompt.text));
    using Finds = AnswerReader::Finds;
    OllamaFormat format(
        {.kind = OllamaKind::chat, .model = name, .tells_logprobs = generation.request.n_top >= 0},
        AnswerReader(prompt.tools.is_null() ? Finds::words_alone : Finds::calls), tokenizer());
    answer(exchange, generation, {std::move(tokens)}, format);
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
