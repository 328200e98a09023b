// A conversation with a model: its messages, and as much of them as the session's cache holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "chat/template.h"
#include "cli/generate.h"

namespace plm::cli {

struct ConversationOptions {
  int64_t n_predict = -1;
  int64_t batch_size = 1024;
  bool context_shift = false;  // drop the oldest turns when the context is full
  bool show_special = false;
  chat::Json template_variables = chat::Json::object();  // further variables of the template
};

// Only what the cache does not hold yet is run: an answer costs its question and itself, whatever came
// before.
class Conversation {
 public:
  using Show = std::function<Status(std::string_view)>;

  Conversation(const Writer& writer, chat::Template chat_template, ConversationOptions options);

  // Adds a message of the user and writes the answer. When that fails the message is taken back. An
  // interrupted answer stays as far as it came.
  Result<Generated> answer(std::string question, const Show& show);

  // Writes the last answer anew. Fails with invalid_argument when there is none.
  Result<Generated> regenerate(const Show& show);

  // Forgets all but the system message.
  void reset();
  // Replaces the system message, or with an empty text removes it. The messages stay.
  void set_system(std::string text);

  const std::vector<chat::Message>& messages() const { return messages_; }
  void set_messages(std::vector<chat::Message> messages) { messages_ = std::move(messages); }

  // Of all questions read and answers written so far; n_steps as in Generated.
  struct Totals {
    int64_t n_read = 0, n_written = 0, n_steps = 0;
    double read_seconds = 0, write_seconds = 0;
  };
  const Totals& totals() const { return totals_; }

 private:
  // A place to which the cache can be cut back: so much of the text, so many tokens.
  struct Mark {
    size_t text_bytes;
    int64_t position;
  };

  Result<Generated> write_answer(const Show& show);
  Status catch_up(const std::string& text);
  void cut_back(const std::string& text);
  Result<std::string> render(std::span<const chat::Message> messages) const;
  Result<std::vector<tokenizer::TokenId>> newest_turns() const;
  Status ensure_room(int64_t n_tokens);
  bool drop_oldest(int64_t n_needed);
  int64_t system_tokens() const;

  Writer writer_;
  chat::Template template_;
  ConversationOptions options_;
  std::vector<chat::Message> messages_;
  Totals totals_;

  std::string consumed_;     // the text that the session has run, dropped parts included
  std::vector<Mark> marks_;  // before each question that was not dropped, ascending
};

}  // namespace plm::cli
