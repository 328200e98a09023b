#include "runtime/sampler_penalties.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace plm::runtime {

namespace {

// The breakers that begin with a token; the whole is sorted by head.
std::span<const DryBreaker> breakers_of(TokenId head, std::span<const DryBreaker> breakers) {
  const auto [begin, end] = std::ranges::equal_range(breakers, head, {}, &DryBreaker::head);
  return {begin, end};
}

// How many of the last tokens a repetition may span: those after the last sequence breaker.
int64_t repetition_limit(std::span<const TokenId> history, std::span<const DryBreaker> breakers) {
  const int64_t n = static_cast<int64_t>(history.size());
  for (int64_t head = n - 1; head >= 0; --head) {
    int64_t longest_tail = -1;
    for (const DryBreaker& breaker : breakers_of(history[static_cast<size_t>(head)], breakers)) {
      const int64_t tail = static_cast<int64_t>(breaker.tail.size());
      if (head + 1 + tail > n) continue;
      if (std::equal(breaker.tail.begin(), breaker.tail.end(), history.begin() + head + 1)) {
        longest_tail = std::max(longest_tail, tail);
      }
    }
    if (longest_tail >= 0) return n - (head + 1 + longest_tail);
  }
  return n;
}

// result[j]: how many of the last tokens also stand j places earlier (the Z function of the reversed
// history).
std::vector<int64_t> suffix_matches(std::span<const TokenId> history) {
  const int64_t n = static_cast<int64_t>(history.size());
  const auto reversed = [&](int64_t i) { return history[static_cast<size_t>(n - 1 - i)]; };
  std::vector<int64_t> matches(static_cast<size_t>(n), 0);
  int64_t box_begin = 0, box_end = 0;
  for (int64_t j = 1; j < n; ++j) {
    int64_t length = 0;
    if (j < box_end) length = std::min(box_end - j, matches[static_cast<size_t>(j - box_begin)]);
    while (j + length < n && reversed(length) == reversed(j + length)) ++length;
    matches[static_cast<size_t>(j)] = length;
    if (j + length > box_end) {
      box_begin = j;
      box_end = j + length;
    }
  }
  return matches;
}

}  // namespace

std::span<const TokenId> last_tokens(std::span<const TokenId> history, int64_t n) {
  if (n < 0 || n >= static_cast<int64_t>(history.size())) return history;
  return history.last(static_cast<size_t>(n));
}

void apply_penalties(Candidates& candidates, std::span<const TokenId> history,
                     const SamplerOptions& options) {
  const bool is_off =
      options.repeat_penalty == 1.0f && options.presence_penalty == 0.0f && options.frequency_penalty == 0.0f;
  if (is_off) return;
  std::unordered_map<TokenId, int64_t> counts;
  for (const TokenId token : last_tokens(history, options.repeat_last_n)) ++counts[token];
  candidates.change_each(counts, [&options](int64_t count, float& logit) {
    logit = logit > 0.0f ? logit / options.repeat_penalty : logit * options.repeat_penalty;
    logit -= static_cast<float>(count) * options.frequency_penalty + options.presence_penalty;
  });
}

std::unordered_map<TokenId, int64_t> dry_repetitions(std::span<const TokenId> history,
                                                     const SamplerOptions& options) {
  std::unordered_map<TokenId, int64_t> lengths;
  const auto window = last_tokens(history, options.dry_penalty_last_n);
  const int64_t limit = repetition_limit(window, options.dry_breakers);
  if (limit < options.dry_allowed_length) return lengths;
  const std::vector<int64_t> matches = suffix_matches(window);
  for (size_t distance = 1; distance < window.size(); ++distance) {
    const int64_t length = std::min(matches[distance], limit);
    if (length < options.dry_allowed_length) continue;
    int64_t& longest = lengths[window[window.size() - distance]];
    longest = std::max(longest, length);
  }
  // A breaker of a single token is never charged.
  std::erase_if(lengths, [&options](const auto& token_and_length) {
    return std::ranges::any_of(breakers_of(token_and_length.first, options.dry_breakers),
                               [](const DryBreaker& breaker) { return breaker.tail.empty(); });
  });
  return lengths;
}

void apply_dry(Candidates& candidates, std::span<const TokenId> history, const SamplerOptions& options) {
  const bool is_on =
      options.dry_multiplier != 0.0f && options.dry_base >= 1.0f && options.dry_penalty_last_n != 0;
  if (!is_on) return;
  candidates.change_each(dry_repetitions(history, options), [&options](int64_t length, float& logit) {
    const double exponent = static_cast<double>(length - options.dry_allowed_length);
    const double penalty = options.dry_multiplier * std::pow(double{options.dry_base}, exponent);
    // Finite, so that where everything is charged something is still left to choose.
    constexpr double kLargest = 0.25 * std::numeric_limits<float>::max();
    logit -= static_cast<float>(std::clamp(penalty, -kLargest, kLargest));
  });
}

}  // namespace plm::runtime
