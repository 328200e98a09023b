// From what a caller asks to what the scheduler takes.
#pragma once

#include <vector>

#include "api/state.h"

namespace plm::api {

struct PromptOptions {
  bool parse_special = true;
};
// The tokens of a prompt; an empty text is the token that texts begin with. Fails with invalid_argument where
// there is none.
Result<std::vector<TokenId>> prompt_tokens(const Model::State& model, const Prompt& prompt,
                                           PromptOptions options);

// A request to continue these tokens. Fails with invalid_argument on grammars that are none or too many.
Result<scheduler::Request> continuation(Model::State& model, std::vector<TokenId> tokens,
                                        const GenerateOptions& options);

}  // namespace plm::api
