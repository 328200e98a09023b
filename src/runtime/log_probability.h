// What a row of logits says about tokens. In double precision.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/engine.h"

namespace plm::runtime {

// log of the sum of exp(logit): log p(token) = logit - this.
double log_sum_exp(std::span<const float> logits);

// The lowest id of the largest logit; NaN never wins.
tokenizer::TokenId most_likely(std::span<const float> logits);

// Tokens to ask all logits of at once: as many as batch_size and 64 MiB of logits allow, at least 1.
int64_t scored_batch(int64_t batch_size, int64_t vocabulary_size);

}  // namespace plm::runtime
