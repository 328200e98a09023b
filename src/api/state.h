// What the handles of plm.h point to.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "chat/template.h"
#include "chat/tool_calls.h"
#include "grammar/token_index.h"
#include "plm/plm.h"
#include "scheduler/scheduler.h"

namespace plm {

struct Model::State {
  ModelInfo info;
  std::unique_ptr<runtime::Engine> engine;
  std::unique_ptr<scheduler::Scheduler> scheduler;  // after the engine, so that it ends before
  std::optional<chat::Template> chat_template;
  Error template_error;            // where there is no chat_template
  std::atomic<int> last_slot{-1};  // of the answer read to its end last

  const tokenizer::Tokenizer& tokenizer() const { return engine->tokenizer(); }
  // Made for the first grammar.
  std::shared_ptr<const grammar::TokenIndex> token_index();

  // Hands a request over. Fails as Scheduler::submit does.
  Result<std::shared_ptr<scheduler::Answer>> submit(scheduler::Request request);
  void stop_all();

 private:
  std::once_flag has_token_index_;
  std::shared_ptr<const grammar::TokenIndex> token_index_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::weak_ptr<scheduler::Answer>> submitted_;
};

struct Stream::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  // What was not read to its end is stopped.
  ~State() {
    if (work != nullptr) work->cancel();
  }

  std::shared_ptr<Model::State> model;
  std::shared_ptr<scheduler::Answer> work;
  std::optional<chat::ToolCallReader> calls;  // of a chat with tools
  std::atomic<bool> is_stopped{false};
  bool is_finished = false;
  Answer answer;
  std::optional<Error> error;

  Next read(Piece& piece, std::chrono::milliseconds patience);
  void finish(const scheduler::Outcome& outcome);
};

namespace api {

// How long a call waits between two questions whether to go on.
inline constexpr std::chrono::milliseconds kGlance{100};

inline bool goes_on(const KeepGoing& keep_going) { return !keep_going || keep_going(); }
Error stopped_error();

TokenScore to_score(const scheduler::ScoredToken& token);

}  // namespace api
}  // namespace plm
