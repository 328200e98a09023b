// Sampler settings that are given as text and need the vocabulary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/sampler.h"
#include "tokenizer/tokenizer.h"

namespace plm::runtime {

// llama.cpp's default sequence breakers of DRY: newline, colon, quote, star.
const std::vector<std::string>& default_dry_breakers();

// Every way a breaker's text can begin inside a token: tokens that contain it, and tokens whose end is its
// beginning, followed by the tokens of the rest. Looks at every token of the vocabulary: once a sampler, and
// only where DRY is on.
std::vector<DryBreaker> find_dry_breakers(const tokenizer::Tokenizer& tokenizer,
                                          const std::vector<std::string>& texts);

// "15043+1" or "15043-1.5", also "15043-inf" and "15043:false" (never): llama.cpp's --logit-bias.
Result<std::pair<TokenId, float>> parse_logit_bias(std::string_view text);

}  // namespace plm::runtime
