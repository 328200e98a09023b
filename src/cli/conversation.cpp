#include "cli/conversation.h"

#include <algorithm>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace plm::cli {

using chat::Message;
using tokenizer::TokenId;

Conversation::Conversation(const Writer& writer, chat::Template chat_template, ConversationOptions options)
    : writer_(writer), template_(std::move(chat_template)), options_(std::move(options)) {}

Result<Generated> Conversation::answer(std::string question, const Show& show) {
  messages_.push_back({.role = "user", .content = std::move(question)});
  auto generated = write_answer(show);
  if (!generated.ok()) messages_.pop_back();
  return generated;
}

Result<Generated> Conversation::regenerate(const Show& show) {
  const size_t n = messages_.size();
  if (n < 2 || messages_[n - 1].role != "assistant" || messages_[n - 2].role != "user") {
    return make_error(ErrorKind::invalid_argument, "there is no answer to write anew");
  }
  Message old_answer = std::move(messages_.back());
  messages_.pop_back();
  auto generated = write_answer(show);
  if (!generated.ok()) messages_.push_back(std::move(old_answer));
  return generated;
}

void Conversation::reset() {
  std::erase_if(messages_, [](const Message& message) { return message.role != "system"; });
}

void Conversation::set_system(std::string text) {
  if (!messages_.empty() && messages_.front().role == "system") messages_.erase(messages_.begin());
  if (!text.empty()) messages_.insert(messages_.begin(), {.role = "system", .content = std::move(text)});
}

Result<std::string> Conversation::render(std::span<const Message> messages) const {
  return template_.render(messages, {.more = options_.template_variables});
}

Result<Generated> Conversation::write_answer(const Show& show) {
  PLM_TRY(const std::string text, render(messages_));
  if (Status status = catch_up(text); !status.ok()) {
    consumed_.clear();  // it is not known how far the session came
    return status.error();
  }
  GenerateOptions options;
  options.n_predict = options_.n_predict;
  options.show_special = options_.show_special;
  options.stop_texts = template_.stop_texts();
  if (options_.context_shift) options.make_room = [this] { return drop_oldest(1); };
  writer_.sampler.begin_answer();
  auto generated = generate(writer_, options, show);
  if (!generated.ok()) {
    consumed_.clear();
    return generated.error();
  }
  consumed_ += generated->cached_text;
  totals_.n_written += generated->n_tokens;
  totals_.n_steps += generated->n_steps;
  totals_.write_seconds += generated->seconds;
  messages_.push_back({.role = "assistant", .content = generated->text});
  return generated;
}

// Brings the session to the end of `text`.
Status Conversation::catch_up(const std::string& text) {
  cut_back(text);
  const bool is_new = consumed_.empty();
  std::vector<TokenId> tokens;
  if (is_new) {
    PLM_TRY(tokens, newest_turns());
  } else {
    tokens = writer_.tokenizer.encode(text.substr(consumed_.size()),
                                      {.add_special = false, .parse_special = true});
  }
  PLM_TRY_STATUS(ensure_room(std::ssize(tokens)));
  marks_.push_back({.text_bytes = consumed_.size(), .position = writer_.session.position()});
  const double start = seconds_now();
  PLM_TRY_STATUS(feed(writer_, tokens, options_.batch_size));
  totals_.n_read += std::ssize(tokens);
  totals_.read_seconds += seconds_now() - start;
  consumed_ = text;
  return {};
}

// The conversation from its beginning, or with context_shift from the first turn that leaves a quarter of the
// context for the answer; the last turn in any case.
Result<std::vector<TokenId>> Conversation::newest_turns() const {
  const int64_t capacity = writer_.session.capacity();
  std::vector<Message> messages = messages_;
  while (true) {
    PLM_TRY(const std::string text, render(messages));
    auto tokens = writer_.tokenizer.encode(text, {.add_special = true, .parse_special = true});
    const auto first =
        std::find_if(messages.begin(), messages.end(), [](const auto& m) { return m.role != "system"; });
    if (first == messages.end()) return tokens;
    const auto next = std::find_if(first + 1, messages.end(), [](const auto& m) { return m.role == "user"; });
    const bool fits = std::ssize(tokens) <= capacity - capacity / 4;
    if (fits || !options_.context_shift || next == messages.end()) return tokens;
    messages.erase(first, next);
  }
}

// Cuts the session back to the last mark from which `text` can be reached.
void Conversation::cut_back(const std::string& text) {
  if (!consumed_.empty() && text.size() > consumed_.size() && text.starts_with(consumed_)) return;
  const auto differs = std::mismatch(text.begin(), text.end(), consumed_.begin(), consumed_.end()).first;
  // Of a text that is there already the last byte is read again, for there must be something to run.
  const auto n_common = std::min(static_cast<size_t>(differs - text.begin()), text.size() - 1);
  while (!marks_.empty() && marks_.back().text_bytes > n_common) marks_.pop_back();
  const Mark mark = marks_.empty() ? Mark{.text_bytes = 0, .position = 0} : marks_.back();
  if (!marks_.empty()) marks_.pop_back();
  writer_.session.truncate(mark.position);
  consumed_.resize(mark.text_bytes);
}

// Room for so many tokens and the beginning of an answer.
Status Conversation::ensure_room(int64_t n_tokens) {
  runtime::Session& session = writer_.session;
  const int64_t n_needed = n_tokens + 1;
  if (session.position() + n_needed <= session.capacity()) return {};
  if (options_.context_shift && drop_oldest(session.position() + n_needed - session.capacity())) return {};
  return make_error(
      ErrorKind::unsupported, "{} more tokens do not fit the context: {} of {} are taken; {}give a larger -c",
      n_tokens, session.position(), session.capacity(),
      options_.context_shift ? "" : "/reset begins anew, --context-shift drops the oldest turns, or ");
}

// Drops whole turns, oldest first, until there is room for n_needed tokens; where the last turn alone fills
// the context, half of it. The system message stays. False when there is not so much to drop.
bool Conversation::drop_oldest(int64_t n_needed) {
  runtime::Session& session = writer_.session;
  const int64_t keep = std::min(system_tokens(), session.position());
  if (session.position() - keep < n_needed) return false;
  int64_t discard = std::max(n_needed, (session.position() - keep + 1) / 2);
  const auto turn = std::find_if(marks_.begin(), marks_.end(),
                                 [&](const Mark& mark) { return mark.position - keep >= n_needed; });
  if (turn != marks_.end()) discard = turn->position - keep;
  drop(writer_, keep, discard);
  std::erase_if(marks_, [&](const Mark& mark) { return mark.position < keep + discard; });
  for (Mark& mark : marks_) mark.position -= discard;
  talk("plm: the context is full: dropped the oldest {} tokens of the conversation", discard);
  return true;
}

int64_t Conversation::system_tokens() const {
  const std::string opening = template_.opening(messages_, {.more = options_.template_variables});
  if (opening.empty()) return 0;
  return std::ssize(writer_.tokenizer.encode(opening, {.add_special = true, .parse_special = true}));
}

}  // namespace plm::cli
