// /v1/completions: text, or token ids, continued.
#include <algorithm>

#include "server/api.h"
#include "server/grammar_fields.h"

namespace plm::server {

namespace {

using scheduler::Outcome;
using scheduler::Piece;
using scheduler::ScoredToken;
using tokenizer::Tokenizer;

struct CompletionShape {
  std::string id, model;
  bool tells_logprobs = false, includes_usage = false;
  int64_t n = 1;
  std::vector<std::string>
      echoes;  // the text of each prompt that comes before its answers; empty without echo
};

class CompletionFormat final : public AnswerFormat {
 public:
  CompletionFormat(CompletionShape shape, const Tokenizer& tokenizer)
      : shape_(std::move(shape)), tokenizer_(tokenizer), created_(seconds_since_1970()) {}

  Json whole(std::span<const Whole> answers, const Totals& totals) override {
    Json choices = Json::array();
    for (size_t i = 0; i < answers.size(); ++i) {
      int64_t offset = 0;
      choices.push_back({{"text", echo(i) + answers[i].text},
                         {"index", i},
                         {"logprobs", logprobs(answers[i].prompt, answers[i].tokens, offset)},
                         {"finish_reason", finish_reason(answers[i].outcome)}});
    }
    Json json = envelope(std::move(choices));
    json["usage"] = usage_json(totals);
    json["timings"] = timings_json(answers.back().outcome);
    return json;
  }

  std::string piece(size_t index, const Piece& piece) override {
    if (index >= states_.size()) states_.resize(index + 1);
    State& state = states_[index];
    std::string text = state.begun ? std::string() : echo(index);
    state.begun = true;
    text += piece.text;
    return event({{"text", text},
                  {"index", index},
                  {"logprobs", logprobs(piece.prompt, piece.tokens, state.offset)},
                  {"finish_reason", nullptr}});
  }

  std::string end(size_t index, const Outcome& outcome) override {
    return event(
        {{"text", ""}, {"index", index}, {"logprobs", nullptr}, {"finish_reason", finish_reason(outcome)}},
        timings_json(outcome));
  }

  std::string finish(const Totals& totals, const Outcome& last) override {
    std::string text;
    if (shape_.includes_usage) {
      Json json = envelope(Json::array());
      json["usage"] = usage_json(totals);
      json["timings"] = timings_json(last);
      text = server_event(json);
    }
    return text + "data: [DONE]\n\n";
  }

 private:
  struct State {
    bool begun = false;
    int64_t offset = 0;
  };

  std::string echo(size_t index) const {
    return shape_.echoes.empty() ? std::string() : shape_.echoes[index / static_cast<size_t>(shape_.n)];
  }

  Json envelope(Json choices) const {
    return {{"id", shape_.id},       {"object", "text_completion"},        {"created", created_},
            {"model", shape_.model}, {"system_fingerprint", build_info()}, {"choices", std::move(choices)}};
  }
  std::string event(Json choice, Json timings = nullptr) const {
    Json json = envelope(Json::array({std::move(choice)}));
    if (!timings.is_null()) json["timings"] = std::move(timings);
    return server_event(json);
  }

  static void add_top(Json& top, std::string_view text, float number) {
    if (std::string key(text); !top.contains(key)) top[key] = number;
  }

  // `offset`: where the first token begins in the text, in characters; moved on to behind the last. A token
  // that begins within a character begins behind it.
  Json logprobs(std::span<const ScoredToken> prompt, std::span<const ScoredToken> tokens,
                int64_t& offset) const {
    if (!shape_.tells_logprobs) return nullptr;
    Json texts = Json::array(), numbers = Json::array(), tops = Json::array(), offsets = Json::array();
    const auto add = [&](const ScoredToken& token) {
      const std::string_view text = tokenizer_.token_bytes(token.id);
      texts.push_back(text);
      offsets.push_back(offset);
      offset += std::ranges::count_if(text, [](unsigned char c) { return (c & 0xC0) != 0x80; });
      if (!token.log_probability) {
        numbers.push_back(nullptr);
        tops.push_back(nullptr);
        return;
      }
      numbers.push_back(*token.log_probability);
      Json top = Json::object();
      for (const auto& [id, number] : token.top) {
        // Tokens of one text (parts of characters that JSON cannot hold): the likelier stays.
        add_top(top, tokenizer_.token_bytes(id), number);
      }
      add_top(top, text, *token.log_probability);
      tops.push_back(std::move(top));
    };
    for (const ScoredToken& token : prompt) add(token);
    for (const ScoredToken& token : tokens) add(token);
    return {{"tokens", std::move(texts)},
            {"token_logprobs", std::move(numbers)},
            {"top_logprobs", std::move(tops)},
            {"text_offset", std::move(offsets)}};
  }

  CompletionShape shape_;
  const Tokenizer& tokenizer_;
  int64_t created_;
  std::vector<State> states_;
};

constexpr std::string_view kPromptForms = "a string, a list of strings, token ids, or lists of token ids";

}  // namespace

Result<Api::Prompts> Api::read_prompts(const Fields& fields, std::string_view name, TooLong too_long) const {
  const Json* prompt = fields.find(name);
  if (prompt == nullptr) return fields.wrong(name, kPromptForms);
  const bool is_list = prompt->is_array() && !prompt->empty() && !(*prompt)[0].is_number();
  const Json given = is_list ? *prompt : Json::array({*prompt});
  if (std::ssize(given) > kMaxPrompts) {
    return fields.wrong(name, fmt::format("at most {} of them", kMaxPrompts));
  }
  const auto room = static_cast<size_t>(scheduler_.engine().context_length());
  Prompts read;
  const auto add = [&](std::string text, std::vector<tokenizer::TokenId> ids) {
    if (too_long == TooLong::is_cut && ids.size() > room) ids.resize(room);
    read.texts.push_back(std::move(text));
    read.ids.push_back(std::move(ids));
  };
  for (const Json& one : given) {
    if (one.is_string()) {
      PLM_TRY(auto tokens, prompt_tokens(one.get_ref<const std::string&>()));
      add(one.get<std::string>(), std::move(tokens));
      if (read.ids.back().size() > enough_tokens()) break;  // it will be refused, and with it all
    } else if (one.is_array() && !one.empty()) {
      PLM_TRY(auto tokens, read_token_ids(one, name, tokenizer()));
      std::string text = tokenizer().decode(tokens);
      add(std::move(text), std::move(tokens));
    } else {
      return fields.wrong(name, kPromptForms);
    }
  }
  return read;
}

void Api::completions(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    PLM_TRY(Generation generation, read_generation(fields, options_.sampling, tokenizer()));
    PLM_TRY(const auto grammar, read_grammar(fields));
    PLM_TRY_STATUS(constrain(generation, grammar));
    PLM_TRY(const std::string suffix, fields.text("suffix", ""));
    if (!suffix.empty()) {
      return make_error(ErrorKind::unsupported, "field suffix: filling in the middle is not supported");
    }
    PLM_TRY(const bool echoes, fields.boolean("echo", false));
    PLM_TRY(const int64_t n_top, fields.integer("logprobs", -1, 0, kMaxTopLogprobs));
    // OpenAI writes 16 tokens unless told; llama.cpp, whose clients are more, until the end.
    generation.request.n_top = static_cast<int>(n_top);
    generation.request.scores_prompt = echoes && n_top >= 0;

    PLM_TRY(Prompts prompts, read_prompts(fields));
    CompletionShape shape{.id = new_id("cmpl-"),
                          .model = options_.model_name,
                          .tells_logprobs = n_top >= 0,
                          .includes_usage = generation.includes_usage,
                          .n = generation.n,
                          .echoes = {}};
    if (echoes) shape.echoes = std::move(prompts.texts);
    CompletionFormat format(std::move(shape), tokenizer());
    answer(exchange, generation, prompts.ids, format);
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

}  // namespace plm::server
