#include "cli/generate.h"

#include <algorithm>
#include <chrono>

#include "cli/interrupt.h"
#include "runtime/stop_texts.h"
#include "tokenizer/utf8_stream.h"

namespace plm::cli {

namespace {

using runtime::LogitsWanted;
using tokenizer::TokenId;

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

// Makes tokens until one of the reasons to stop.
Result<StopReason> generate_tokens(const Writer& writer, const GenerateOptions& options, Shown& shown,
                                   Generated& result) {
  while (true) {
    if (options.n_predict >= 0 && result.n_tokens >= options.n_predict) return StopReason::length;
    if (interrupted()) return StopReason::interrupted;
    PLM_TRY(const TokenId token, writer.sampler.sample(writer.session.logits()));
    writer.sampler.accept(token);
    ++result.n_tokens;
    if (writer.tokenizer.is_end_of_generation(token)) return StopReason::end_of_generation;
    const std::string_view bytes = writer.tokenizer.token_bytes(token);
    if (options.show_special || !writer.tokenizer.is_special(token)) PLM_TRY_STATUS(shown.push(bytes));
    if (shown.stopped()) return StopReason::stop_text;
    if (result.n_tokens == options.n_predict) return StopReason::length;
    if (writer.session.position() == writer.session.capacity()) {
      if (!options.make_room || !options.make_room()) return StopReason::context_full;
    }
    PLM_TRY_STATUS(writer.session.decode(std::span(&token, 1), LogitsWanted::last));
    ++result.n_steps;
    result.cached_text += bytes;
  }
}

}  // namespace

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string rate_text(int64_t n_tokens, int64_t n_steps, double seconds) {
  if (n_steps == 0 || seconds <= 0) return fmt::format("{} tokens", n_tokens);
  return fmt::format("{} tokens, {:.1f} tok/s", n_tokens, static_cast<double>(n_steps) / seconds);
}

Status feed(const Writer& writer, std::span<const TokenId> tokens, int64_t batch_size) {
  while (!tokens.empty()) {
    if (interrupted()) return interrupted_error();
    const size_t n = std::min(tokens.size(), static_cast<size_t>(batch_size));
    const bool is_last = n == tokens.size();
    PLM_TRY_STATUS(writer.session.decode(tokens.first(n), is_last ? LogitsWanted::last : LogitsWanted::none,
                                         interrupt_flag()));
    for (const TokenId token : tokens.first(n)) writer.sampler.accept_prompt(token);
    tokens = tokens.subspan(n);
  }
  return {};
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
