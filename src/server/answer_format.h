// How an endpoint tells of answers: in one piece, or as server-sent events while they are written.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "chat/tool_calls.h"
#include "scheduler/request.h"
#include "server/json.h"
#include "tokenizer/tokenizer.h"

namespace plm::server {

// All of one answer.
struct Whole {
  std::string text;
  std::vector<scheduler::ScoredToken> prompt, tokens;
  scheduler::Outcome outcome;
};

// Of all answers to a request. A prompt counts once, however many choices it has.
struct Totals {
  int64_t n_prompt = 0, n_cached = 0, n_answer = 0;
};

// Takes the text of an answer apart: words and calls of tools, where the model was told of any.
class AnswerReader {
 public:
  using Part = chat::ToolCallReader::Part;
  enum class Finds { words_alone, calls };

  explicit AnswerReader(Finds finds) : finds_(finds) {}
  Part push(const std::string& text) {
    return finds_ == Finds::calls ? calls_.push(text) : Part{.content = text, .calls = {}};
  }
  Part finish() { return finds_ == Finds::calls ? calls_.finish() : Part(); }

 private:
  Finds finds_;
  chat::ToolCallReader calls_;
};

// One request's; the calls come in the order of the functions below.
class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  virtual Json whole(std::span<const Whole> answers, const Totals& totals) = 0;

  // Events; empty for none.
  virtual std::string begin() { return {}; }
  virtual std::string piece(size_t index, const scheduler::Piece& piece) = 0;
  virtual std::string end(size_t index, const scheduler::Outcome& outcome) = 0;
  virtual std::string finish(const Totals& totals, const scheduler::Outcome& last) = 0;

  // Instead of what would come next: a stream that has begun breaks off.
  virtual std::string failure(int status, std::string_view message);

  // What a stream is made of, and a sign of life in it that says nothing.
  virtual std::string_view stream_type() const { return "text/event-stream"; }
  virtual std::string ping() const { return ": ping\n\n"; }
};

// "data: {...}\n\n", with "event: name\n" before it unless the name is empty.
std::string server_event(const Json& data, std::string_view name = {});

// The bytes of a token as a list of numbers: JSON cannot hold a part of a character as text.
Json bytes_json(std::string_view bytes);

// Each token with its text, its log-probability, and those that were likely too.
Json logprobs_json(std::span<const scheduler::ScoredToken> tokens, const tokenizer::Tokenizer& tokenizer);

// OpenAI's usage, and llama.cpp's timings of one answer.
Json usage_json(const Totals& totals);
Json timings_json(const scheduler::Outcome& outcome);

// Of "system_fingerprint" and "build_info".
std::string_view build_info();

// "stop" or "length".
std::string_view finish_reason(const scheduler::Outcome& outcome);

}  // namespace plm::server
