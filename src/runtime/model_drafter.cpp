#include "runtime/model_drafter.h"

#include <algorithm>
#include <cmath>

#include "kernels/activations.h"
#include "runtime/log_probability.h"
#include "runtime/sampler.h"

namespace plm::runtime {

namespace {

std::string shown(std::optional<TokenId> id) { return id ? std::to_string(*id) : "none"; }

}  // namespace

Status check_same_vocabulary(const Engine& target, const Engine& draft) {
  const tokenizer::Tokenizer &t = target.tokenizer(), &d = draft.tokenizer();
  const std::string &path = draft.file().path(), &of = target.file().path();
  if (t.vocabulary_size() != d.vocabulary_size()) {
    return make_error(
        ErrorKind::unsupported,
        "{}: key tokenizer.ggml.tokens: found {} tokens, expected {}, those of {}: a draft model "
        "must have the same vocabulary",
        path, d.vocabulary_size(), t.vocabulary_size(), of);
  }
  for (size_t i = 0; i < t.vocabulary_size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (t.token_text(id) == d.token_text(id) && t.token_type(id) == d.token_type(id)) continue;
    return make_error(
        ErrorKind::unsupported,
        "{}: key tokenizer.ggml.tokens: token {}: found \"{}\" of type {}, expected \"{}\" of type {} "
        "as in {}: a draft model must have the same vocabulary",
        path, i, d.token_text(id), static_cast<int>(d.token_type(id)), t.token_text(id),
        static_cast<int>(t.token_type(id)), of);
  }
  const auto check_id = [&](std::string_view key, std::optional<TokenId> found,
                            std::optional<TokenId> expected) -> Status {
    if (found == expected) return {};
    return make_error(
        ErrorKind::unsupported,
        "{}: key tokenizer.ggml.{}: found {}, expected {} as in {}: a draft model must begin and end "
        "texts alike",
        path, key, shown(found), shown(expected), of);
  };
  PLM_TRY_STATUS(check_id("bos_token_id", d.bos(), t.bos()));
  return check_id("eos_token_id", d.eos(), t.eos());
}

Result<std::unique_ptr<ModelDrafter>> ModelDrafter::create(std::unique_ptr<Engine> draft,
                                                           const Engine& target, int n_sequences) {
  PLM_TRY_STATUS(check_same_vocabulary(target, *draft));
  const int64_t context = draft->config().context_length;
  if (context < target.context_length()) {
    return make_error(
        ErrorKind::invalid_argument,
        "{}: key {}.context_length: found {}, expected at least {}, the context of {}: give a smaller "
        "-c or another draft model",
        draft->file().path(), draft->config().architecture, context, target.context_length(),
        target.file().path());
  }
  std::unique_ptr<ModelDrafter> drafter(new ModelDrafter(std::move(draft)));
  for (int i = 0; i < n_sequences; ++i) {
    PLM_TRY(auto session, drafter->engine_->new_session(target.context_length()));
    drafter->sequences_.push_back({.session = std::move(session), .tokens = {}, .held = {}});
  }
  return drafter;
}

void ModelDrafter::begin(int sequence, std::span<const TokenId> tokens) {
  sequences_[static_cast<size_t>(sequence)].tokens.assign(tokens.begin(), tokens.end());
}

void ModelDrafter::append(int sequence, TokenId token) {
  sequences_[static_cast<size_t>(sequence)].tokens.push_back(token);
}

// Runs the next tokens of a sequence without asking what comes after them.
Status ModelDrafter::read(Sequence& s, int64_t n_tokens) {
  const auto tokens = std::span(s.tokens).subspan(s.held.size(), static_cast<size_t>(n_tokens));
  PLM_TRY_STATUS(s.session.decode(tokens, LogitsWanted::none));
  s.held.insert(s.held.end(), tokens.begin(), tokens.end());
  return {};
}

Status ModelDrafter::propose(std::span<DraftAsk> asks) {
  std::vector<Writing> writing;
  bool may_read = true;
  for (DraftAsk& ask : asks) {
    ask.tokens.clear();
    Sequence& s = sequences_[static_cast<size_t>(ask.sequence)];
    if (ask.most <= 0 || s.tokens.empty() || std::ssize(s.tokens) > s.session.capacity()) continue;
    // The rows that are of use: of the same tokens, and not of the last, whose logits are wanted.
    const auto held = std::ranges::mismatch(s.held, s.tokens).in1 - s.held.begin();
    s.held.resize(static_cast<size_t>(std::min<int64_t>(held, std::ssize(s.tokens) - 1)));
    s.session.truncate(std::ssize(s.held));
    const int64_t n_behind = std::ssize(s.tokens) - std::ssize(s.held);
    if (n_behind > kernels::kFineTokens) {
      if (!may_read) continue;
      may_read = false;
      PLM_TRY_STATUS(read(s, std::min(n_behind - 1, kReadAtOnce)));
      if (n_behind - 1 > kReadAtOnce) continue;
    }
    writing.push_back(
        {.ask = &ask, .sequence = &s, .next = {s.tokens.begin() + std::ssize(s.held), s.tokens.end()}});
  }
  while (!writing.empty()) {
    // As many together as a step of the draft model takes.
    for (size_t begin = 0; begin < writing.size();) {
      size_t end = begin;
      int64_t n_tokens = 0;
      while (end < writing.size() && n_tokens + std::ssize(writing[end].next) <= engine_->batch_size()) {
        n_tokens += std::ssize(writing[end++].next);
      }
      if (end == begin)
        return make_error(ErrorKind::invalid_argument, "the draft model's batch is too small");
      PLM_TRY_STATUS(step(std::span(writing).subspan(begin, end - begin)));
      begin = end;
    }
    std::erase_if(writing, [&](Writing& one) { return !choose(one, engine_->tokenizer()); });
  }
  return {};
}

Status ModelDrafter::step(std::span<Writing> writing) {
  std::vector<Turn> turns;
  for (Writing& one : writing) {
    turns.push_back({.session = &one.sequence->session, .tokens = one.next, .wanted = LogitsWanted::last});
  }
  PLM_TRY_STATUS(engine_->decode_together(turns));
  for (Writing& one : writing) {
    auto& held = one.sequence->held;
    held.insert(held.end(), one.next.begin(), one.next.end());
  }
  return {};
}

// Adds the most probable token; false: the draft ends there or before it.
bool ModelDrafter::choose(Writing& writing, const tokenizer::Tokenizer& tokenizer) {
  DraftAsk& ask = *writing.ask;
  const auto logits = writing.sequence->session.logits();
  const auto best = greedy_token(logits);
  if (!best.ok() || !tokenizer.is_valid(*best)) return false;
  if (ask.p_min > 0) {
    const double logit = static_cast<double>(logits[static_cast<size_t>(*best)]);
    if (std::exp(logit - log_sum_exp(logits)) < static_cast<double>(ask.p_min)) return false;
  }
  ask.tokens.push_back(*best);
  writing.next.assign(1, *best);
  const Session& session = writing.sequence->session;
  return std::ssize(ask.tokens) < ask.most && !tokenizer.is_end_of_generation(*best) &&
         session.position() < session.capacity();
}

}  // namespace plm::runtime
