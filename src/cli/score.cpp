// plm score: the log-probability of each token of a text given those before it, as one line of JSON.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "cli/token_ids.h"
#include "runtime/log_probability.h"
#include "safetensors/safetensors_writer.h"

namespace plm::cli {

namespace {

using Json = nlohmann::ordered_json;
using tokenizer::TokenId;

class ScoreCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.add_to(app);
    text_.add_to(app, "-p,--text,--prompt", "the text to score");
    ids_option_ = app.add_option("--ids", ids_, "token ids in its place, with blanks or commas between them")
                      ->type_name("\"1 2 3\"");
    app.add_option("--logits-out", logits_path_,
                   "write the logits here: safetensors, float32 `logits` [T, vocabulary]")
        ->type_name("FILE");
    app.add_flag("--no-bos", no_special_,
                 "add no beginning token to a text, even where the vocabulary asks for it");
  }

  Status run() override;

 private:
  Result<std::vector<TokenId>> tokens(const runtime::Engine& engine) const;

  ModelOptions model_;
  TextOption text_;
  std::string ids_, logits_path_;
  CLI::Option* ids_option_ = nullptr;
  bool no_special_ = false;
};

Result<std::vector<TokenId>> ScoreCommand::tokens(const runtime::Engine& engine) const {
  const tokenizer::Tokenizer& tokenizer = engine.tokenizer();
  std::vector<TokenId> tokens;
  if (ids_option_->count() > 0) {
    if (text_.is_given()) {
      return make_error(ErrorKind::invalid_argument, "--ids and a text exclude each other");
    }
    PLM_TRY(tokens, parse_token_ids(ids_, static_cast<size_t>(engine.config().vocabulary_size)));
  } else {
    PLM_TRY(const std::string text, text_.read());
    tokens = tokenizer.encode(text, {.add_special = !no_special_, .parse_special = true});
  }
  if (tokens.empty()) return make_error(ErrorKind::invalid_argument, "nothing to score: no tokens");
  return tokens;
}

// Runs all tokens and calls visit(index of a token, logits after it) in order.
template <class Visit>
Status for_each_row(runtime::Session& session, std::span<const TokenId> tokens, int64_t batch,
                    Visit&& visit) {
  for (size_t begin = 0; begin < tokens.size(); begin += static_cast<size_t>(batch)) {
    if (interrupted()) return interrupted_error();
    const auto part = tokens.subspan(begin, std::min(static_cast<size_t>(batch), tokens.size() - begin));
    PLM_TRY_STATUS(session.decode(part, runtime::LogitsWanted::all, interrupt_flag()));
    for (size_t i = 0; i < part.size(); ++i) {
      PLM_TRY_STATUS(visit(begin + i, session.logits_of(static_cast<int64_t>(i))));
    }
  }
  return {};
}

Status ScoreCommand::run() {
  PLM_TRY(const auto engine, model_.load());
  PLM_TRY(const auto ids, tokens(*engine));
  PLM_TRY(auto session, engine->new_session());
  if (std::ssize(ids) > session.capacity()) {
    return make_error(ErrorKind::unsupported,
                      "{} tokens to score, but the context has room for {}: give a larger -c", ids.size(),
                      session.capacity());
  }
  const int64_t n_vocabulary = engine->config().vocabulary_size;
  std::optional<safetensors::Writer> writer;
  if (!logits_path_.empty()) {
    PLM_TRY(writer,
            safetensors::Writer::create(
                logits_path_, {{"logits", safetensors::DType::f32, {std::ssize(ids), n_vocabulary}}}));
  }
  Json log_probabilities = Json::array({nullptr});
  Json greedy = Json::array();
  const int64_t batch = runtime::scored_batch(model_.batch_size(), n_vocabulary);
  PLM_TRY_STATUS(
      for_each_row(session, ids, batch, [&](size_t index, std::span<const float> logits) -> Status {
        greedy.push_back(runtime::most_likely(logits));
        if (index + 1 < ids.size()) {
          log_probabilities.push_back(logits[static_cast<size_t>(ids[index + 1])] -
                                      runtime::log_sum_exp(logits));
        }
        return writer ? writer->append(std::as_bytes(logits)) : Status();
      }));
  if (writer) PLM_TRY_STATUS(writer->finish());
  const Json line{{"ids", ids}, {"logprobs", log_probabilities}, {"greedy", greedy}};
  return write_output(line.dump() + "\n");
}

}  // namespace

std::unique_ptr<Command> make_score_command() { return std::make_unique<ScoreCommand>(); }

}  // namespace plm::cli
