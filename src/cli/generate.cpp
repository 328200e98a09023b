#include "cli/generate.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "runtime/stop_texts.h"
#include "tokenizer/utf8_stream.h"

namespace plm::cli {

namespace {

using runtime::LogitsWanted;
// The way from token bytes to the reader: whole characters, nothing of a stop text.
class Shown {
 public:
  Shown(std::vector<std::string> stop_texts, const std::function<Status(std::string_view)>& show)
      : stops_(std::move(stop_texts)), show_(show) {}

  Status push(std::string_view bytes) { return pass(stops_.push(characters_.push(bytes))); }
  Status finish() {
    PLM_TRY_STATUS(pass(stops_.push(characters_.finish())));
    return stops_.stopped() ? Status() : pass(stops_.finish());
  }
  bool stopped() const { return stops_.stopped(); }
  std::string take_text() { return std::move(text_); }

 private:
  Status pass(const std::string& piece) {
    text_ += piece;
    return piece.empty() ? Status() : show_(piece);
  }

  tokenizer::Utf8Stream characters_;
  runtime::StopTexts stops_;
  const std::function<Status(std::string_view)>& show_;
  std::string text_;
};

// Tokens that the session has run, one or with a draft several: the next choice is made from the logits of
// each in turn, as long as it is the token that was run next.
class Run {
 public:
  explicit Run(const Writer& writer) : writer_(writer), position_(writer.session.position()) {}
  ~Run() { close(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::span<const float> logits() const {
    return draft_.empty() ? writer_.session.logits() : writer_.session.logits_of(n_accepted_);
  }

  // A token of the draft, chosen as well, has been run already.
  bool accepts(TokenId token) {
    if (n_accepted_ == std::ssize(draft_) || draft_[static_cast<size_t>(n_accepted_)] != token) return false;
    ++n_accepted_;
    ++position_;
    return true;
  }

  // Counts the step that is over, and leaves in the session only what was chosen.
  void close() {
    if (writer_.drafting != nullptr && seconds_ > 0) {
      writer_.drafting->count(std::ssize(draft_), n_accepted_, seconds_);
    }
    draft_.clear();
    n_accepted_ = 0;
    seconds_ = 0;
    writer_.session.truncate(position_);
  }

  // Runs a token, after close(), and a draft of at most `room` tokens behind it.
  Status decode(TokenId token, int64_t room) {
    position_ = writer_.session.position();
    if (writer_.drafting != nullptr) {
      PLM_TRY(draft_, writer_.drafting->propose(std::min(room, writer_.session.capacity() - position_ - 1)));
    }
    std::vector<TokenId> tokens{token};
    tokens.insert(tokens.end(), draft_.begin(), draft_.end());
    const double start = seconds_now();
    PLM_TRY_STATUS(writer_.session.decode(tokens, draft_.empty() ? LogitsWanted::last : LogitsWanted::all));
    seconds_ = seconds_now() - start;
    ++position_;
    return {};
  }

 private:
  const Writer& writer_;
  std::vector<TokenId> draft_;
  int64_t n_accepted_ = 0;
  int64_t position_;  // of the session, without what was not accepted
  double seconds_ = 0;
};

// Makes tokens until one of the reasons to stop.
Result<StopReason> generate_tokens(const Writer& writer, const GenerateOptions& options, Shown& shown,
                                   Generated& result) {
  constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
  if (writer.drafting != nullptr) writer.drafting->begin_answer();
  Run run(writer);
  while (true) {
    if (options.n_predict >= 0 && result.n_tokens >= options.n_predict) return StopReason::length;
    if (interrupted()) return StopReason::interrupted;
    PLM_TRY(const TokenId token, writer.sampler.sample(run.logits()));
    writer.sampler.accept(token);
    if (writer.drafting != nullptr) writer.drafting->append(token);
    ++result.n_tokens;
    if (writer.tokenizer.is_end_of_generation(token)) return StopReason::end_of_generation;
    const std::string_view bytes = writer.tokenizer.token_bytes(token);
    if (options.show_special || !writer.tokenizer.is_special(token)) PLM_TRY_STATUS(shown.push(bytes));
    if (shown.stopped()) return StopReason::stop_text;
    if (result.n_tokens == options.n_predict) return StopReason::length;
    if (!run.accepts(token)) {
      run.close();
      if (writer.session.position() == writer.session.capacity()) {
        if (!options.make_room || !options.make_room()) return StopReason::context_full;
      }
      const int64_t n_left = options.n_predict < 0 ? kNoLimit : options.n_predict - result.n_tokens;
      PLM_TRY_STATUS(run.decode(token, n_left - 1));
    }
    ++result.n_steps;
    result.cached_text += bytes;
  }
}

}  // namespace

std::string rate_text(int64_t n_tokens, int64_t n_steps, double seconds) {
  if (n_steps == 0 || seconds <= 0) return fmt::format("{} tokens", n_tokens);
  return fmt::format("{} tokens, {:.1f} tok/s", n_tokens, static_cast<double>(n_steps) / seconds);
}

std::string draft_text(const Drafting* drafting) {
  if (drafting == nullptr || drafting->counts().n_drafted == 0) return {};
  const runtime::DraftCounts& counts = drafting->counts();
  return fmt::format("; drafted {}, accepted {} ({:.0f} %)", counts.n_drafted, counts.n_accepted,
                     100.0 * static_cast<double>(counts.n_accepted) / static_cast<double>(counts.n_drafted));
}

Status feed(const Writer& writer, std::span<const TokenId> tokens, int64_t batch_size) {
  while (!tokens.empty()) {
    if (interrupted()) return interrupted_error();
    const size_t n = std::min(tokens.size(), static_cast<size_t>(batch_size));
    const bool is_last = n == tokens.size();
    PLM_TRY_STATUS(writer.session.decode(tokens.first(n), is_last ? LogitsWanted::last : LogitsWanted::none,
                                         interrupt_flag()));
    for (const TokenId token : tokens.first(n)) writer.sampler.accept_prompt(token);
    if (writer.drafting != nullptr) {
      writer.drafting->read(writer.session.position() - static_cast<int64_t>(n), tokens.first(n));
    }
    tokens = tokens.subspan(n);
  }
  return {};
}

void drop(const Writer& writer, int64_t keep, int64_t discard) {
  writer.session.shift(keep, discard);
  if (writer.drafting != nullptr) writer.drafting->drop(keep, discard);
}

Result<Generated> generate(const Writer& writer, const GenerateOptions& options,
                           const std::function<Status(std::string_view)>& show) {
  Generated result;
  Shown shown(options.stop_texts, show);
  const double start = seconds_now();
  PLM_TRY(result.reason, generate_tokens(writer, options, shown, result));
  result.seconds = seconds_now() - start;
  PLM_TRY_STATUS(shown.finish());
  result.text = shown.take_text();
  return result;
}

}  // namespace plm::cli
