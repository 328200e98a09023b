// The fields that every endpoint which writes text understands: OpenAI's and llama.cpp's names.
#pragma once

#include "scheduler/request.h"
#include "server/json.h"
#include "tokenizer/tokenizer.h"

namespace plm::server {

// Limits of what one request may ask for.
inline constexpr int64_t kMaxChoices = 16;   // n
inline constexpr int64_t kMaxPrompts = 256;  // of one request
inline constexpr int64_t kMaxAnswers = 256;  // prompts times n
inline constexpr int64_t kMaxStopTexts = 32;
inline constexpr size_t kMaxStopBytes = 1024;  // of each
inline constexpr int64_t kMaxBiases = 1024;
inline constexpr int64_t kMaxTopLogprobs = 20;
inline constexpr int64_t kMaxDraft = 1024;  // that may be asked for; a step takes fewer

struct Generation {
  scheduler::Request request;  // without its prompt
  int64_t n = 1;
  bool streams = false;
  bool includes_usage = false;
};

// Fails with invalid_argument on a field of the wrong kind or out of range, and with unsupported on one that
// asks for what this server cannot do. `defaults`: for what the request does not say.
Result<Generation> read_generation(const Fields& fields, const runtime::SamplerOptions& defaults,
                                   const tokenizer::Tokenizer& tokenizer);

// The request of the k-th of n choices: a seed is counted up.
scheduler::Request choice_request(const Generation& generation, std::vector<tokenizer::TokenId> prompt,
                                  int64_t k);

// A list of token ids of the vocabulary.
Result<std::vector<tokenizer::TokenId>> read_token_ids(const Json& array, std::string_view name,
                                                       const tokenizer::Tokenizer& tokenizer);

}  // namespace plm::server
