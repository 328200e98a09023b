// The number of a token in its vocabulary: an index from 0 to vocabulary size - 1.
#pragma once

#include <cstdint>

namespace plm::tokenizer {

using TokenId = std::int32_t;

}  // namespace plm::tokenizer
