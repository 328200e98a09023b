// Token ids as people and scripts write them.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenizer/tokenizer.h"

namespace plm::cli {

// "1 2 3", "1,2,3" or "[1, 2, 3]". Fails with invalid_argument on anything else and on an id that is not in
// the vocabulary.
Result<std::vector<tokenizer::TokenId>> parse_token_ids(std::string_view text, size_t vocabulary_size);

}  // namespace plm::cli
