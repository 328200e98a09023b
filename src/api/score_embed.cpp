// What a model says of texts without continuing them.
#include <algorithm>
#include <deque>

#include "api/guard.h"
#include "api/request.h"
#include "scheduler/pooling.h"

namespace plm {

namespace {

// An answer that is cancelled unless it was read to its end.
class Work {
 public:
  explicit Work(std::shared_ptr<scheduler::Answer> answer) : answer_(std::move(answer)) {}
  Work(Work&&) noexcept = default;
  Work& operator=(Work&&) = delete;
  ~Work() {
    if (answer_ != nullptr) answer_->cancel();
  }

  template <class Visit>
  Result<scheduler::Outcome> read(const KeepGoing& keep_going, Visit&& visit) {
    scheduler::Piece piece;
    while (true) {
      if (!api::goes_on(keep_going)) return api::stopped_error();
      const auto next = answer_->next(piece, api::kGlance);
      if (next == scheduler::Answer::Next::finished) break;
      if (next == scheduler::Answer::Next::piece) {
        PLM_TRY_STATUS(api::guarded([&]() -> Status {
          visit(piece);
          return {};
        }));
      }
    }
    const scheduler::Outcome& outcome = answer_->outcome();
    if (outcome.error) return *outcome.error;
    if (outcome.reason != scheduler::FinishReason::length) return api::stopped_error();
    return outcome;
  }

 private:
  std::shared_ptr<scheduler::Answer> answer_;
};

// A request for what comes of the prompt alone.
Result<scheduler::Request> reading(Model::State& model, std::vector<TokenId> tokens) {
  GenerateOptions options;
  options.max_tokens = 0;
  return api::continuation(model, std::move(tokens), options);
}

scheduler::Pooling pooling_of(Pooling pooling) {
  return pooling == Pooling::cls    ? scheduler::Pooling::cls
         : pooling == Pooling::last ? scheduler::Pooling::last
                                    : scheduler::Pooling::mean;
}

Result<Work> begin_embedding(Model::State& model, const Prompt& text, const EmbedOptions& options) {
  PLM_TRY(auto tokens, api::prompt_tokens(model, text, {}));
  PLM_TRY(auto request, reading(model, std::move(tokens)));
  request.pooling = pooling_of(options.pooling);
  PLM_TRY(auto answer, model.submit(std::move(request)));
  return Work(std::move(answer));
}

}  // namespace

Result<std::vector<TokenScore>> Model::score(const Prompt& prompt, const ScoreOptions& options) const {
  // What a callback throws must not become an error, so it is not within.
  auto begun = api::guarded([&]() -> Result<Work> {
    PLM_TRY(auto tokens, api::prompt_tokens(*state_, prompt, {.parse_special = options.parse_special}));
    PLM_TRY(auto request, reading(*state_, std::move(tokens)));
    request.scores_prompt = true;
    request.n_top = std::max(options.n_top, 0);
    PLM_TRY(auto answer, state_->submit(std::move(request)));
    return Work(std::move(answer));
  });
  if (!begun.ok()) return begun.error();
  std::vector<TokenScore> scores;
  const auto outcome = begun->read(options.keep_going, [&scores](const scheduler::Piece& piece) {
    for (const auto& token : piece.prompt) scores.push_back(api::to_score(token));
  });
  if (!outcome.ok()) return outcome.error();
  return scores;
}

Result<std::vector<float>> Model::embed(const Prompt& text, const EmbedOptions& options) const {
  PLM_TRY(auto rows, embed_all({&text, 1}, options));
  return std::move(rows.front());
}

Result<std::vector<std::vector<float>>> Model::embed_all(std::span<const Prompt> texts,
                                                         const EmbedOptions& options) const {
  // A few more than run at once, so that none waits for the others to be tokenized.
  const size_t n_ahead = 2 * static_cast<size_t>(state_->info.n_parallel);
  std::deque<Work> under_way;
  std::vector<std::vector<float>> rows;
  for (size_t next = 0; rows.size() < texts.size();) {
    if (next < texts.size() && under_way.size() < n_ahead) {
      PLM_TRY(auto work, api::guarded([&] { return begin_embedding(*state_, texts[next], options); }));
      under_way.push_back(std::move(work));
      ++next;
      continue;
    }
    PLM_TRY(auto outcome, under_way.front().read(options.keep_going, [](const scheduler::Piece&) {}));
    under_way.pop_front();
    if (options.normalise) scheduler::scale_to_unit_length(outcome.embedding);
    rows.push_back(std::move(outcome.embedding));
  }
  return rows;
}

}  // namespace plm
