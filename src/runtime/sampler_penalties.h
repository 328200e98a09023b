// What counts against tokens that were used before.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/sampler.h"
#include "runtime/sampler_candidates.h"

namespace plm::runtime {

// The last n of the history, all of it for n < 0.
std::span<const TokenId> last_tokens(std::span<const TokenId> history, int64_t n);

// Repeat penalty (Keskar et al. 2019, arXiv 1909.05858): logits above 0 are divided by it, others multiplied.
// Then presence penalty once and frequency penalty for each use are subtracted.
void apply_penalties(Candidates& candidates, std::span<const TokenId> history, const SamplerOptions& options);

// DRY ("don't repeat yourself"): a token that would lengthen a repetition of `allowed_length` tokens or more
// is charged multiplier * base^(length - allowed_length). Sequence breakers end a repetition;
// options.dry_breakers is sorted by head.
void apply_dry(Candidates& candidates, std::span<const TokenId> history, const SamplerOptions& options);

// For each token that continues an earlier occurrence of the history's end: the length of the longest such
// repetition, limited by the last breaker. Lengths below options.dry_allowed_length are left out.
std::unordered_map<TokenId, int64_t> dry_repetitions(std::span<const TokenId> history,
                                                     const SamplerOptions& options);

}  // namespace plm::runtime
