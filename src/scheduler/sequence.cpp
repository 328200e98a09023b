#include "scheduler/sequence.h"

#include <algorithm>

#include "base/clock.h"
#include "runtime/log_probability.h"
#include "scheduler/prefix_store.h"

namespace plm::scheduler {

using runtime::LogitsWanted;

Sequence::Sequence(Request request, std::shared_ptr<Answer> answer, runtime::Sampler sampler,
                   const runtime::Engine& engine)
    : request_(std::move(request)),
      answer_(std::move(answer)),
      sampler_(std::move(sampler)),
      engine_(engine),
      stops_(request_.stop_texts),
      submitted_(seconds_now()) {}

void Sequence::start(Slot& slot) {
  PLM_CHECK(slot.session.position() < std::ssize(request_.prompt));
  slot_ = &slot;
  slot.is_busy = true;
  n_cached_ = slot.session.position();
  started_ = seconds_now();
  for (const TokenId token : request_.prompt) sampler_.accept_prompt(token);
}

int64_t Sequence::n_unread() const {
  return std::max<int64_t>(0, std::ssize(request_.prompt) - slot_->session.position());
}

int64_t Sequence::next_size(int64_t budget) const {
  constexpr int64_t kPage = PrefixStore::kPageTokens;
  if (n_unread() == 0) return 1;
  const int64_t begin = slot_->session.position(), n_prompt = std::ssize(request_.prompt);
  const int64_t grid_end = n_prompt / kPage * kPage;
  if (begin >= grid_end) return std::min(budget, n_prompt - begin);
  const int64_t end = std::min((begin + budget) / kPage * kPage, grid_end);
  if (end > begin) return end - begin;
  return std::min(budget, (begin / kPage + 1) * kPage - begin);  // a budget of less than a page
}

runtime::Turn Sequence::next_turn(int64_t n_tokens) {
  n_turn_ = n_tokens;
  if (n_unread() == 0) {
    turn_.assign(1, pending_);
    turn_.insert(turn_.end(), draft_.begin(), draft_.end());
    draft_.clear();
    return {.session = &slot_->session,
            .tokens = turn_,
            .wanted = turn_.size() > 1 ? LogitsWanted::all : LogitsWanted::last};
  }
  const auto begin = static_cast<size_t>(slot_->session.position());
  const bool is_last = n_unread() == n_tokens;
  if (request_.pooling) {
    hidden_TD_.resize(static_cast<size_t>(n_tokens * engine_.config().width));
  }
  return {.session = &slot_->session,
          .tokens = std::span(request_.prompt).subspan(begin, static_cast<size_t>(n_tokens)),
          .wanted = request_.scores_prompt         ? LogitsWanted::all
                    : is_last && !request_.pooling ? LogitsWanted::last
                                                   : LogitsWanted::none,
          .hidden_TD = request_.pooling ? hidden_TD_.data() : nullptr};
}

runtime::DraftWish Sequence::draft_wish(const runtime::DraftSettings& settings) const {
  int64_t most = std::min(request_.drafts.n_max.value_or(settings.n_max),
                          slot_->session.capacity() - slot_->session.position() - 1);
  // The last token of an answer is chosen and not run.
  if (request_.max_tokens >= 0) most = std::min(most, request_.max_tokens - n_answer_ - 1);
  return {.chance = record_.chance(), .most = std::max<int64_t>(most, 0), .is_due = record_.is_due()};
}

int64_t Sequence::after_step() {
  chosen_.clear();
  if (std::ssize(slot_->tokens) >= std::ssize(request_.prompt)) return check_turn();
  read_turn();
  return n_turn_;
}

void Sequence::read_turn() {
  constexpr int64_t kPage = PrefixStore::kPageTokens;
  const auto begin = std::ssize(slot_->tokens), end = begin + n_turn_;
  const auto first = request_.prompt.begin() + begin;
  slot_->tokens.insert(slot_->tokens.end(), first, first + n_turn_);
  // What was run page by page, on rows that are exact, is exact.
  const int64_t grid_end = std::ssize(request_.prompt) / kPage * kPage;
  if (slot_->n_exact == begin / kPage * kPage && begin < grid_end) slot_->n_exact = end / kPage * kPage;
  if (request_.scores_prompt) score_prompt();
  if (request_.pooling) pool_hidden(n_turn_);
  if (end < std::ssize(request_.prompt)) return;
  first_token_ = seconds_now();
  if (request_.max_tokens == 0 || request_.pooling) {
    if (!prompt_scores_.empty()) {
      answer_->write({.text = {}, .prompt = std::move(prompt_scores_), .tokens = {}});
    }
    return finish(FinishReason::length);
  }
  if (const Status status = choose(slot_->session.logits()); !status.ok()) {
    finish(FinishReason::failed, status.error());
  }
}

// Chooses behind each token of the turn in order, as long as the choice is the token that was run next. The
// rows of the others are dropped.
int64_t Sequence::check_turn() {
  runtime::Session& session = slot_->session;
  const auto n_drafted = std::ssize(turn_) - 1;
  if (n_drafted > 0) ++drafts_.n_steps;
  drafts_.n_drafted += n_drafted;
  int64_t n = 0;
  do {
    if (n > 0) ++drafts_.n_accepted;
    slot_->tokens.push_back(turn_[static_cast<size_t>(n)]);
    const auto logits = n_drafted == 0 ? session.logits() : session.logits_of(n);
    ++n;
    if (const Status status = choose(logits); !status.ok()) finish(FinishReason::failed, status.error());
  } while (!is_finished_ && n <= n_drafted && pending_ == turn_[static_cast<size_t>(n)]);
  session.truncate(std::ssize(slot_->tokens));
  if (n_drafted == 0) {
    record_.count_without();
  } else {
    record_.count(n_drafted, n - 1);
  }
  return n;
}

Status Sequence::choose(std::span<const float> logits) {
  PLM_TRY(const TokenId token, sampler_.sample(logits));
  sampler_.accept(token);
  chosen_.push_back(token);
  ++n_answer_;
  Piece piece{.text = {}, .prompt = std::move(prompt_scores_), .tokens = {}};
  prompt_scores_.clear();
  piece.tokens.push_back(scored(token, logits));
  const auto& tokenizer = engine_.tokenizer();
  const bool is_end = tokenizer.is_end_of_generation(token);
  if (!is_end && (request_.shows_special || !tokenizer.is_special(token))) {
    piece.text = stops_.push(characters_.push(tokenizer.token_bytes(token)));
  }
  answer_->write(std::move(piece));
  pending_ = token;
  if (is_end) {
    finish(FinishReason::end_of_generation);
  } else if (stops_.stopped()) {
    finish(FinishReason::stop_text);
  } else if (n_answer_ == request_.max_tokens) {
    finish(FinishReason::length);
  } else if (std::ssize(slot_->tokens) == slot_->session.capacity()) {
    finish(FinishReason::context_full);
  }
  return {};
}

ScoredToken Sequence::scored(TokenId token, std::span<const float> logits) const {
  ScoredToken result{.id = token, .log_probability = {}, .top = {}};
  if (request_.n_top < 0) return result;
  const double total = runtime::log_sum_exp(logits);
  const auto log_probability = [&](TokenId id) {
    return static_cast<float>(static_cast<double>(logits[static_cast<size_t>(id)]) - total);
  };
  result.log_probability = log_probability(token);
  const auto n = std::min<size_t>(static_cast<size_t>(request_.n_top), logits.size());
  std::vector<TokenId> best;  // a heap whose front is the worst of those kept
  const auto is_better = [&](TokenId a, TokenId b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  };
  for (TokenId id = 0; id < std::ssize(logits) && n > 0; ++id) {
    if (best.size() == n && !is_better(id, best.front())) continue;
    if (best.size() == n) {
      std::ranges::pop_heap(best, is_better);
      best.pop_back();
    }
    best.push_back(id);
    std::ranges::push_heap(best, is_better);
  }
  std::ranges::sort(best, is_better);
  for (const TokenId id : best) result.top.emplace_back(id, log_probability(id));
  return result;
}

// The logits of a token score the next one; those of the last before this step the first of it.
void Sequence::score_prompt() {
  const auto& session = slot_->session;
  const int64_t begin = session.position() - n_turn_, n_prompt = std::ssize(request_.prompt);
  if (begin == 0) {
    prompt_scores_.push_back({.id = request_.prompt.front(), .log_probability = {}, .top = {}});
  } else {
    prompt_scores_.push_back(scored(request_.prompt[static_cast<size_t>(begin)], last_logits_));
  }
  for (int64_t t = begin + 1; t < begin + n_turn_; ++t) {
    prompt_scores_.push_back(
        scored(request_.prompt[static_cast<size_t>(t)], session.logits_of(t - begin - 1)));
  }
  if (begin + n_turn_ < n_prompt) last_logits_.assign(session.logits().begin(), session.logits().end());
}

void Sequence::pool_hidden(int64_t n_tokens) {
  const auto D = static_cast<size_t>(engine_.config().width);
  const bool is_first = pooled_D_.empty();
  pooled_D_.resize(D);
  for (int64_t t = 0; t < n_tokens; ++t) {
    const float* row = hidden_TD_.data() + static_cast<size_t>(t) * D;
    if (request_.pooling == Pooling::mean) {
      for (size_t d = 0; d < D; ++d) pooled_D_[d] += static_cast<double>(row[d]);
    } else if (request_.pooling == Pooling::last || (is_first && t == 0)) {
      std::copy(row, row + D, pooled_D_.begin());
    }
  }
}

std::vector<float> Sequence::embedding() const {
  const double scale =
      request_.pooling == Pooling::mean ? 1.0 / static_cast<double>(request_.prompt.size()) : 1.0;
  std::vector<float> result;
  for (const double number : pooled_D_) result.push_back(static_cast<float>(number * scale));
  return result;
}

void Sequence::finish(FinishReason reason, std::optional<Error> error) {
  PLM_CHECK(!is_finished_);
  is_finished_ = true;
  std::string rest = stops_.push(characters_.finish());
  if (!stops_.stopped()) rest += stops_.finish();
  if (!rest.empty()) answer_->write({.text = std::move(rest), .prompt = {}, .tokens = {}});
  const double now = seconds_now();
  Outcome outcome{.reason = reason,
                  .error = std::move(error),
                  .stop_text = stops_.stop_text(),
                  .n_prompt = std::ssize(request_.prompt),
                  .n_cached = n_cached_,
                  .n_answer = n_answer_,
                  .drafts = drafts_,
                  .seed = sampler_.seed(),
                  .slot = slot_ == nullptr ? -1 : slot_->id,
                  .embedding = {}};
  outcome.queue_seconds = (started_ > 0 ? started_ : now) - submitted_;
  if (started_ > 0) outcome.prompt_seconds = (first_token_ > 0 ? first_token_ : now) - started_;
  if (first_token_ > 0) outcome.answer_seconds = now - first_token_;
  if (reason == FinishReason::length && request_.pooling) outcome.embedding = embedding();
  answer_->finish(std::move(outcome));
}

}  // namespace plm::scheduler
