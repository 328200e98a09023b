// plm run: continues a prompt. The continuation alone goes to stdout.

#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/generate.h"
#include "cli/grammar_options.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/sampling_options.h"
#include "cli/speculation_options.h"
#include "cli/text_input.h"

namespace plm::cli {

namespace {

using tokenizer::TokenId;

class RunCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.add_to(app);
    prompt_.add_to(app, "-p,--prompt", "the text to continue");
    app.add_option("-n,--predict,--n-predict", n_predict_,
                   "most tokens to make; -1: until the text or the context ends")
        ->capture_default_str()
        ->type_name("N");
    app.add_flag("--context-shift,!--no-context-shift", context_shift_,
                 "when the context is full, drop the older half of it and go on");
    app.add_option("--keep", n_keep_, "first tokens that --context-shift never drops; -1: the whole prompt")
        ->capture_default_str()
        ->type_name("N");
    app.add_option("-r,--reverse-prompt", stop_texts_, "stop before this text; may be given often")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("TEXT");
    app.add_flag("-e,--escape,!--no-escape", escape_, "read \\n, \\t, \\\\ and the like in -p");
    app.add_flag("--special", show_special_, "show control tokens");
    app.add_flag("--no-perf", no_perf_, "no rates on stderr at the end");
    grammar_.add_to(app);
    sampling_.add_to(app);
    speculation_.add_to(app);
  }

  Status run() override;

 private:
  Result<std::vector<TokenId>> prompt_tokens(const runtime::Engine& engine, const std::string& text) const;
  Result<std::vector<TokenId>> fit(std::vector<TokenId> tokens, int64_t capacity) const;

  ModelOptions model_;
  SamplingOptions sampling_;
  GrammarOptions grammar_;
  SpeculationOptions speculation_;
  TextOption prompt_;
  std::vector<std::string> stop_texts_;
  int64_t n_predict_ = -1, n_keep_ = 0;
  bool context_shift_ = false, escape_ = false, show_special_ = false, no_perf_ = false;
};

// C's escapes of one letter; an unknown one stays as it is.
std::string unescape(std::string_view text) {
  constexpr std::string_view kLetters = "ntr0\\\"'";
  constexpr std::string_view kMeanings("\n\t\r\0\\\"'", kLetters.size());
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t known =
        text[i] == '\\' && i + 1 < text.size() ? kLetters.find(text[i + 1]) : std::string_view::npos;
    result += known == std::string_view::npos ? text[i] : kMeanings[known];
    if (known != std::string_view::npos) ++i;
  }
  return result;
}

Result<std::vector<TokenId>> RunCommand::prompt_tokens(const runtime::Engine& engine,
                                                       const std::string& text) const {
  const tokenizer::Tokenizer& tokenizer = engine.tokenizer();
  auto tokens =
      tokenizer.encode(escape_ ? unescape(text) : text, {.add_special = true, .parse_special = true});
  if (!tokens.empty()) return tokens;
  if (!tokenizer.bos()) {
    return make_error(ErrorKind::invalid_argument,
                      "the prompt is empty, and the model has no token to begin with");
  }
  talk("plm: the prompt is empty: beginning with the token {}", tokenizer.token_text(*tokenizer.bos()));
  return std::vector<TokenId>{*tokenizer.bos()};
}

// A prompt that is too long loses, with --context-shift, what shifting would have dropped: its older part.
Result<std::vector<TokenId>> RunCommand::fit(std::vector<TokenId> tokens, int64_t capacity) const {
  const int64_t n_tokens = std::ssize(tokens);
  if (n_tokens <= capacity) return tokens;
  if (!context_shift_) {
    return make_error(
        ErrorKind::unsupported,
        "the prompt has {} tokens, the context room for {}: give a larger -c, or --context-shift to "
        "drop its older part",
        n_tokens, capacity);
  }
  const int64_t n_keep = n_keep_ < 0 ? 0 : std::min(n_keep_, capacity / 2);
  const int64_t n_dropped = n_tokens - n_keep - (capacity - n_keep) / 2;
  talk("plm: the prompt has {} tokens, the context room for {}: leaving out {}", n_tokens, capacity,
       n_dropped);
  tokens.erase(tokens.begin() + n_keep, tokens.begin() + n_keep + n_dropped);
  return tokens;
}

// Whether there was something to drop.
bool drop_half(const Writer& writer, int64_t n_keep) {
  const int64_t n_discard = (writer.session.position() - n_keep + 1) / 2;
  if (n_discard <= 0) return false;
  drop(writer, n_keep, n_discard);
  return true;
}

void say_why(StopReason reason, const runtime::Session& session) {
  if (reason == StopReason::context_full) {
    talk("plm: the context is full ({} tokens): stopped; --context-shift goes on, -c makes it larger",
         session.capacity());
  } else if (reason == StopReason::interrupted) {
    talk("plm: interrupted");
  }
}

Status RunCommand::run() {
  PLM_TRY_STATUS(speculation_.check());
  PLM_TRY(const std::string text, prompt_.read());
  PLM_TRY(auto engine, model_.load());
  PLM_TRY(auto constraint, grammar_.constraint(engine->tokenizer()));
  PLM_TRY(auto sampler, sampling_.make_sampler(engine->tokenizer(), std::move(constraint)));
  PLM_TRY(auto session, engine->new_session());
  PLM_TRY(auto tokens, prompt_tokens(*engine, text));
  PLM_TRY(tokens, fit(std::move(tokens), session.capacity()));
  const int64_t n_keep = std::min(n_keep_ < 0 ? std::ssize(tokens) : n_keep_, session.capacity() - 1);

  PLM_TRY(const auto drafter, speculation_.make_drafter(*engine, 1));
  std::optional<Drafting> drafting;
  if (drafter != nullptr) drafting.emplace(*drafter, speculation_.settings());

  const Writer writer{session, sampler, engine->tokenizer(), drafting ? &*drafting : nullptr};
  const double start = seconds_now();
  PLM_TRY_STATUS(feed(writer, tokens, model_.batch_size()));
  const double prompt_seconds = seconds_now() - start;

  GenerateOptions options;
  options.n_predict = n_predict_;
  options.show_special = show_special_;
  options.stop_texts = stop_texts_;
  if (context_shift_) options.make_room = [&] { return drop_half(writer, n_keep); };
  PLM_TRY(const Generated generated, generate(writer, options, write_output));
  if (::isatty(STDOUT_FILENO) != 0 && !generated.text.ends_with('\n')) talk_line("");
  say_why(generated.reason, session);
  if (!no_perf_) {
    const int64_t n_prompt = std::ssize(tokens);
    talk("plm: prompt {}; written {}{}; seed {}", rate_text(n_prompt, n_prompt, prompt_seconds),
         rate_text(generated.n_tokens, generated.n_steps, generated.seconds), draft_text(writer.drafting),
         sampler.seed());
  }
  return generated.reason == StopReason::interrupted ? interrupted_error() : Status();
}

}  // namespace

std::unique_ptr<Command> make_run_command() { return std::make_unique<RunCommand>(); }

}  // namespace plm::cli
