#include <algorithm>
#include <exception>
#include <iterator>

#include "api/state.h"

namespace plm {

namespace {

std::vector<ToolCall> to_calls(const std::vector<chat::ToolCall>& calls) {
  std::vector<ToolCall> made;
  for (const chat::ToolCall& call : calls)
    made.push_back({.id = {}, .name = call.name, .arguments = call.arguments});
  return made;
}

StopReason stop_reason(scheduler::FinishReason reason) {
  switch (reason) {
    case scheduler::FinishReason::end_of_generation:
      return StopReason::end;
    case scheduler::FinishReason::stop_text:
      return StopReason::stop_text;
    case scheduler::FinishReason::length:
      return StopReason::max_tokens;
    case scheduler::FinishReason::context_full:
      return StopReason::context_full;
    default:
      return StopReason::stopped;
  }
}

}  // namespace

namespace api {

Error stopped_error() { return make_error(ErrorKind::cancelled, "it was stopped"); }

TokenScore to_score(const scheduler::ScoredToken& token) {
  return {.id = token.id, .log_probability = token.log_probability, .top = token.top};
}

}  // namespace api

Stream::Stream(std::unique_ptr<State> state) : state_(std::move(state)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

void Stream::stop() {
  state_->is_stopped = true;
  state_->work->cancel();
}

Stream::Next Stream::next(Piece& piece, std::chrono::milliseconds patience) {
  if (state_->is_finished) return Next::finished;
  try {
    return state_->read(piece, std::clamp(patience, std::chrono::milliseconds(0),
                                          std::chrono::milliseconds(std::chrono::hours(24))));
  } catch (const std::exception&) {  // nothing but memory can lack here
    state_->work->cancel();
    state_->error = Error{ErrorKind::out_of_memory, {}};
    state_->is_finished = true;
    return Next::finished;
  }
}

Stream::Next Stream::State::read(Piece& piece, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    scheduler::Piece raw;
    const auto next = work->next(raw, std::max(left, std::chrono::milliseconds(0)));
    if (next == scheduler::Answer::Next::nothing_yet) return Next::nothing_yet;
    piece = {};
    if (next == scheduler::Answer::Next::finished) {
      is_finished = true;
      finish(work->outcome());
      if (!calls || is_stopped || error) return Next::finished;
      // What looked like the beginning of a call, and was none.
      chat::ToolCallReader::Part rest = calls->finish();
      calls.reset();
      if (rest.content.empty() && rest.calls.empty()) return Next::finished;
      piece.text = std::move(rest.content);
      piece.tool_calls = to_calls(rest.calls);
    } else {
      if (is_stopped) continue;
      for (const auto& token : raw.tokens) piece.tokens.push_back(api::to_score(token));
      if (calls) {
        chat::ToolCallReader::Part part = calls->push(raw.text);
        piece.text = std::move(part.content);
        piece.tool_calls = to_calls(part.calls);
      } else {
        piece.text = std::move(raw.text);
      }
    }
    answer.text += piece.text;
    answer.tokens.insert(answer.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    answer.tool_calls.insert(answer.tool_calls.end(), piece.tool_calls.begin(), piece.tool_calls.end());
    return Next::piece;
  }
}

void Stream::State::finish(const scheduler::Outcome& outcome) {
  if (outcome.slot >= 0) model->last_slot = outcome.slot;
  using scheduler::FinishReason;
  if (outcome.reason == FinishReason::failed) {
    error = outcome.error.value_or(Error{ErrorKind::bad_data, "the answer failed"});
  } else if (outcome.reason == FinishReason::out_of_patience ||
             (outcome.reason == FinishReason::cancelled && !is_stopped)) {
    error = api::stopped_error();
  }
  answer.reason = is_stopped ? StopReason::stopped : stop_reason(outcome.reason);
  answer.stop_text = outcome.stop_text;
  answer.n_prompt = outcome.n_prompt;
  answer.n_reused = outcome.n_cached;
  answer.n_drafted = outcome.drafts.n_drafted;
  answer.n_accepted = outcome.drafts.n_accepted;
  answer.seed = outcome.seed;
  answer.prompt_seconds = outcome.prompt_seconds;
  answer.answer_seconds = outcome.answer_seconds;
}

Result<Answer> Stream::answer() const {
  if (state_->error) return *state_->error;
  if (!state_->is_finished) {
    return make_error(ErrorKind::invalid_argument, "the answer is not complete: read the stream to its end");
  }
  return state_->answer;
}

}  // namespace plm
