// plm perplexity: how well a model predicts a text, and how far it is from another (KL divergence). Chunks,
// formulas and file of base probabilities are llama-perplexity's, so that figures can be compared.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/chunk_scores.h"
#include "cli/commands.h"
#include "cli/kl_base_file.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "runtime/log_probability.h"

namespace plm::cli {

namespace {

using Json = nlohmann::ordered_json;
using tokenizer::TokenId;

constexpr int64_t kDefaultContext = 512;

// What is learned about the distance to the base model.
struct Divergence {
  RunningMean kl;                  // nats
  RunningMean probability_change;  // of the token that came
  std::vector<float> all_kl;       // for percentiles
  int64_t n_same_best = 0;

  void add(std::span<const float> logits, double log_sum_exp, std::span<const float> base, TokenId token);
  double percentile(double share);
};

void Divergence::add(std::span<const float> logits, double log_sum_exp, std::span<const float> base,
                     TokenId token) {
  double divergence = 0.0;
  for (size_t i = 0; i < logits.size(); ++i) {
    divergence += std::exp(double{base[i]}) * (base[i] - (logits[i] - log_sum_exp));
  }
  kl.add(divergence);
  all_kl.push_back(static_cast<float>(divergence));
  const auto id = static_cast<size_t>(token);
  probability_change.add(std::exp(logits[id] - log_sum_exp) - std::exp(double{base[id]}));
  if (runtime::most_likely(logits) == runtime::most_likely(base)) ++n_same_best;
}

double Divergence::percentile(double share) {
  std::sort(all_kl.begin(), all_kl.end());
  const double place = share * static_cast<double>(all_kl.size() - 1);
  const auto below = static_cast<size_t>(place);
  const double above = all_kl[std::min(below + 1, all_kl.size() - 1)];
  return all_kl[below] + (above - all_kl[below]) * (place - static_cast<double>(below));
}

class PerplexityCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    model_.set_default_context(kDefaultContext);
    model_.add_to(app);
    text_.add_to(app, "-p,--text,--prompt", "the text");
    app.add_option("--chunks", max_chunks_, "score only the first N chunks; -1: all")
        ->capture_default_str()
        ->type_name("N");
    app.add_option("--kl-divergence-base,--kl-base", base_path_,
                   "file of base probabilities: written, or with --kl-divergence read")
        ->type_name("FILE");
    app.add_flag("--kl-divergence", compare_,
                 "compare with the base probabilities; the text comes from there");
    app.add_flag("--json", json_, "print JSON");
  }

  Status run() override;

 private:
  Result<ChunkedText> read_text(const runtime::Engine& engine, int64_t n_context) const;
  Result<ChunkedText> text_of_base(const runtime::Engine& engine, const runtime::Session& session) const;
  Status open_base(const runtime::Engine& engine, const ChunkedText& text);
  Status score_row(const ScoredRow& row);
  std::string report(const ChunkedText& text);

  ModelOptions model_;
  TextOption text_;
  std::string base_path_;
  int64_t max_chunks_ = -1;
  bool compare_ = false, json_ = false;

  std::optional<KlBaseWriter> base_writer_;
  std::optional<KlBaseReader> base_reader_;
  std::vector<float> base_row_;
  RunningMean surprise_;  // nats a token
  Divergence divergence_;
};

Result<ChunkedText> PerplexityCommand::read_text(const runtime::Engine& engine, int64_t n_context) const {
  PLM_TRY(const std::string text, text_.read());
  return chunk_text(engine.tokenizer(), text, n_context, max_chunks_);
}

Result<ChunkedText> PerplexityCommand::text_of_base(const runtime::Engine& engine,
                                                    const runtime::Session& session) const {
  const KlBaseShape& shape = base_reader_->shape();
  if (shape.n_vocabulary != engine.config().vocabulary_size) {
    return make_error(ErrorKind::bad_data, "{}: vocabulary of {} tokens, but the model's has {}", base_path_,
                      shape.n_vocabulary, engine.config().vocabulary_size);
  }
  if (shape.n_context > session.capacity()) {
    return make_error(ErrorKind::invalid_argument,
                      "{}: chunks of {} tokens, but the context has {}: give -c {}", base_path_,
                      shape.n_context, session.capacity(), shape.n_context);
  }
  ChunkedText chunks{.tokens = {base_reader_->tokens().begin(), base_reader_->tokens().end()},
                     .n_context = shape.n_context,
                     .n_chunks = shape.n_chunks};
  if (max_chunks_ >= 0)
    chunks.n_chunks = std::min<int64_t>(chunks.n_chunks, std::max<int64_t>(max_chunks_, 1));
  return chunks;
}

Status PerplexityCommand::open_base(const runtime::Engine& engine, const ChunkedText& text) {
  if (base_path_.empty() || compare_) return {};
  std::error_code error;
  if (std::filesystem::exists(base_path_, error)) {
    return make_error(ErrorKind::invalid_argument,
                      "{} is there already: --kl-divergence compares with it; to write it anew remove it",
                      base_path_);
  }
  PLM_TRY(base_writer_,
          KlBaseWriter::create(base_path_,
                               {.n_context = static_cast<int32_t>(text.n_context),
                                .n_vocabulary = static_cast<int32_t>(engine.config().vocabulary_size),
                                .n_chunks = static_cast<int32_t>(text.n_chunks)},
                               text.tokens));
  return {};
}

Status PerplexityCommand::score_row(const ScoredRow& row) {
  const double total = runtime::log_sum_exp(row.logits);
  surprise_.add(total - row.logits[static_cast<size_t>(row.token)]);
  if (base_writer_) return base_writer_->append(row.logits, total);
  if (base_reader_) {
    base_row_.resize(row.logits.size());
    base_reader_->read_row(row.chunk, row.row, base_row_);
    divergence_.add(row.logits, total, base_row_, row.token);
  }
  return {};
}

std::string PerplexityCommand::report(const ChunkedText& text) {
  const double perplexity = std::exp(surprise_.mean());
  const double error = perplexity * surprise_.standard_error();
  const auto share_same = [this] {
    return static_cast<double>(divergence_.n_same_best) / static_cast<double>(surprise_.count());
  };
  if (json_) {
    Json json{{"perplexity", perplexity},
              {"perplexity_error", error},
              {"nats_per_token", surprise_.mean()},
              {"tokens_scored", surprise_.count()},
              {"chunks", text.n_chunks},
              {"context", text.n_context}};
    if (base_reader_) {
      json["kl_divergence"] = {
          {"mean", divergence_.kl.mean()},
          {"error", divergence_.kl.standard_error()},
          {"median", divergence_.percentile(0.5)},
          {"p99", divergence_.percentile(0.99)},
          {"max", divergence_.percentile(1.0)},
          {"rms_probability_change", std::sqrt(divergence_.probability_change.mean_of_squares())},
          {"same_best", share_same()}};
    }
    return json.dump() + "\n";
  }
  std::string lines = fmt::format("Final estimate: PPL = {:.4f} +/- {:.5f}\n", perplexity, error);
  if (base_reader_) {
    lines += fmt::format("Mean    KLD: {:10.6f} +/- {:.6f}\n", divergence_.kl.mean(),
                         divergence_.kl.standard_error());
    lines += fmt::format("Maximum KLD: {:10.6f}\n", divergence_.percentile(1.0));
    lines += fmt::format("99.0%   KLD: {:10.6f}\n", divergence_.percentile(0.99));
    lines += fmt::format("Median  KLD: {:10.6f}\n", divergence_.percentile(0.5));
    lines += fmt::format("RMS dp     : {:7.3f} %\n",
                         100 * std::sqrt(divergence_.probability_change.mean_of_squares()));
    lines += fmt::format("Same top p : {:7.3f} %\n", 100 * share_same());
  }
  return lines;
}

Status PerplexityCommand::run() {
  if (compare_) {
    if (base_path_.empty()) {
      return make_error(ErrorKind::invalid_argument, "--kl-divergence needs --kl-divergence-base FILE");
    }
    PLM_TRY(base_reader_, KlBaseReader::open(base_path_));
    model_.set_default_context(base_reader_->shape().n_context);
  } else if (!text_.is_given()) {
    return make_error(ErrorKind::invalid_argument, "no text: give -f FILE");
  }
  PLM_TRY(const auto engine, model_.load());
  PLM_TRY(auto session, engine->new_session());
  const int64_t n_context = session.capacity();
  PLM_TRY(const ChunkedText text, compare_ ? text_of_base(*engine, session) : read_text(*engine, n_context));
  PLM_TRY_STATUS(open_base(*engine, text));
  talk("plm: {} chunks of {} tokens", text.n_chunks, text.n_context);
  const ChunkVisitor visitor{
      .row = [this](const ScoredRow& row) { return score_row(row); },
      .chunk_done = [this](int64_t n) { talk("[{}] {:.4f}", n, std::exp(surprise_.mean())); },
  };
  PLM_TRY_STATUS(score_chunks(*engine, session, text, model_.batch_size(), visitor));
  if (base_writer_) PLM_TRY_STATUS(base_writer_->finish());
  return write_output(report(text));
}

}  // namespace

std::unique_ptr<Command> make_perplexity_command() { return std::make_unique<PerplexityCommand>(); }

}  // namespace plm::cli
