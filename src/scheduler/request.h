// What is asked of the scheduler, and what comes back.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/draft_planner.h"
#include "runtime/sampler.h"

namespace plm::scheduler {

using tokenizer::TokenId;

// Which rows of earlier prompts a request may take over instead of running its tokens again.
enum class Reuse {
  none,
  exact,  // rows that running the tokens here would give again, bit for bit: those of whole pages of prompts
  all,    // rows of answers too, which were run token by token and differ by rounding
};

// How the hidden rows of a text become one vector.
enum class Pooling { mean, cls, last };

// What a request says of its drafts; what it does not is as the scheduler's options say.
struct DraftLimits {
  std::optional<int64_t> n_max, n_min;
  std::optional<float> p_min;
};

struct Request {
  std::vector<TokenId> prompt;  // at least one; must leave room for an answer unless max_tokens is 0
  int64_t max_tokens = -1;      // of the answer; negative: as many as the context holds
  runtime::SamplerOptions sampling;
  std::vector<std::string> stop_texts;  // the text ends before the first of these
  int n_top = -1;              // alternatives to tell of each token with log-probabilities; negative: none
  bool scores_prompt = false;  // log-probabilities of the prompt's tokens too; nothing is reused then
  bool shows_special = false;  // write the text of control tokens
  Reuse reuse = Reuse::all;
  DraftLimits drafts;
  std::optional<Pooling> pooling;               // an embedding is wanted; implies max_tokens 0
  std::chrono::milliseconds patience{600'000};  // longest wait for a slot
};

struct ScoredToken {
  TokenId id = 0;
  // Natural, of the softmax over the whole vocabulary before any sampler changed it. Only where n_top >= 0;
  // none for the first token of a prompt.
  std::optional<float> log_probability;
  std::vector<std::pair<TokenId, float>> top;  // the n_top most likely, descending; ties by id
};

// A part of an answer.
struct Piece {
  std::string text;                 // whole characters; may be empty
  std::vector<ScoredToken> prompt;  // before everything else, where scores_prompt
  std::vector<ScoredToken> tokens;  // the choices made since the piece before
};

enum class FinishReason {
  end_of_generation,  // the model said so
  stop_text,
  length,  // max_tokens
  context_full,
  cancelled,  // by Answer::cancel or a scheduler that stops
  out_of_patience,
  failed,  // see error
};

struct Outcome {
  FinishReason reason = FinishReason::failed;
  std::optional<Error> error;
  std::string stop_text;  // the one it stopped before
  int64_t n_prompt = 0, n_cached = 0, n_answer = 0;
  runtime::DraftCounts drafts;
  double queue_seconds = 0, prompt_seconds = 0, answer_seconds = 0;
  uint64_t seed = 0;
  int slot = -1;                 // it ran in; -1: never
  std::vector<float> embedding;  // D numbers, not normalised
};

}  // namespace plm::scheduler
