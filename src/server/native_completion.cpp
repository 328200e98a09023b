// /completion, llama.cpp's own form of a completion, which editor plug-ins speak; and what of its other paths
// is not to be had here.
#include "server/api.h"
#include "server/grammar_fields.h"

namespace plm::server {

namespace {

using scheduler::FinishReason;
using scheduler::Outcome;
using scheduler::Piece;
using scheduler::ScoredToken;
using tokenizer::TokenId;
using tokenizer::Tokenizer;

std::string_view stop_type(const Outcome& outcome) {
  switch (outcome.reason) {
    case FinishReason::end_of_generation:
      return "eos";
    case FinishReason::stop_text:
      return "word";
    default:
      return "limit";
  }
}

class NativeFormat final : public AnswerFormat {
 public:
  struct Shape {
    std::string model;
    bool tells_probabilities = false, tells_tokens = false;
    size_t n = 1;
    std::vector<std::string> prompts;
  };

  NativeFormat(Shape shape, const Tokenizer& tokenizer)
      : shape_(std::move(shape)), tokenizer_(tokenizer), streams_(shape_.prompts.size() * shape_.n) {}

  // An object; of several answers a list.
  Json whole(std::span<const Whole> answers, const Totals&) override {
    Json list = Json::array();
    for (size_t i = 0; i < answers.size(); ++i) {
      streams_[i].has_new_line = has_new_line(answers[i].text);
      Json json = last(i, answers[i].outcome);
      json["content"] = answers[i].text;
      json["tokens"] = ids(answers[i].tokens);
      if (shape_.tells_probabilities) json["completion_probabilities"] = probabilities(answers[i].tokens);
      list.push_back(std::move(json));
    }
    return list.size() == 1 ? list.front() : list;
  }
  std::string piece(size_t index, const Piece& piece) override {
    Stream& stream = streams_[index];
    stream.has_new_line = stream.has_new_line || has_new_line(piece.text);
    stream.n_tokens += std::ssize(piece.tokens);
    Json json = {{"index", index},
                 {"content", piece.text},
                 {"tokens", ids(piece.tokens)},
                 {"stop", false},
                 {"tokens_predicted", stream.n_tokens}};
    if (shape_.tells_probabilities) json["completion_probabilities"] = probabilities(piece.tokens);
    return server_event(json);
  }
  std::string end(size_t index, const Outcome& outcome) override {
    return server_event(last(index, outcome));
  }
  std::string finish(const Totals&, const Outcome&) override { return {}; }

 private:
  struct Stream {
    bool has_new_line = false;
    int64_t n_tokens = 0;
  };

  static bool has_new_line(std::string_view text) { return text.find('\n') != std::string_view::npos; }

  Json ids(std::span<const ScoredToken> tokens) const {
    Json list = Json::array();
    for (size_t i = 0; shape_.tells_tokens && i < tokens.size(); ++i) list.push_back(tokens[i].id);
    return list;
  }
  Json last(size_t index, const Outcome& outcome) const {
    return {{"index", index},
            {"content", ""},
            {"tokens", Json::array()},
            {"id_slot", outcome.slot},
            {"stop", true},
            {"model", shape_.model},
            {"prompt", shape_.prompts[index / shape_.n]},
            {"has_new_line", streams_[index].has_new_line},
            {"tokens_predicted", outcome.n_answer},
            {"tokens_evaluated", outcome.n_prompt},
            {"tokens_cached", outcome.n_cached},
            {"truncated", false},
            {"stop_type", stop_type(outcome)},
            {"stopping_word", outcome.stop_text},
            {"timings", timings_json(outcome)}};
  }
  Json token_json(TokenId id, float log_probability) const {
    const std::string_view text = tokenizer_.token_bytes(id);
    return {{"id", id}, {"token", text}, {"bytes", bytes_json(text)}, {"logprob", log_probability}};
  }
  Json probabilities(std::span<const ScoredToken> tokens) const {
    Json list = Json::array();
    for (const ScoredToken& token : tokens) {
      Json json = token_json(token.id, token.log_probability.value_or(0));
      json["top_logprobs"] = Json::array();
      for (const auto& [id, number] : token.top) json["top_logprobs"].push_back(token_json(id, number));
      list.push_back(std::move(json));
    }
    return list;
  }

  Shape shape_;
  const Tokenizer& tokenizer_;
  std::vector<Stream> streams_;  // of each answer
};

}  // namespace

void Api::native_completion(Exchange& exchange) const {
  const auto work = [&]() -> Status {
    const Fields fields(exchange.body);
    PLM_TRY(Generation generation, read_generation(fields, options_.sampling, tokenizer()));
    PLM_TRY(const auto grammar, read_grammar(fields));
    PLM_TRY_STATUS(constrain(generation, grammar));
    PLM_TRY(const int64_t n_top, fields.integer("n_probs", 0, 0, kMaxTopLogprobs));
    generation.request.n_top = n_top > 0 ? static_cast<int>(n_top) : -1;
    PLM_TRY(const bool tells_tokens, fields.boolean("return_tokens", false));
    PLM_TRY(Prompts prompts, read_prompts(fields));
    NativeFormat format({.model = options_.model_name,
                         .tells_probabilities = n_top > 0,
                         .tells_tokens = tells_tokens,
                         .n = static_cast<size_t>(generation.n),
                         .prompts = std::move(prompts.texts)},
                        tokenizer());
    answer(exchange, generation, prompts.ids, format);
    return {};
  };
  if (const Status status = work(); !status.ok()) exchange.fail(status.error());
}

void Api::infill(Exchange& exchange) const {
  exchange.fail(501, "filling in the middle is not supported: the models served here are not taught it");
}

void Api::rerank(Exchange& exchange) const {
  exchange.fail(501, "ranking is not supported: the models served here have no head for it");
}

}  // namespace plm::server
