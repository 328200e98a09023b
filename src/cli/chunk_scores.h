// A text in chunks of the context's length, each scored in its second half, as llama-perplexity does: what
// the model says about a token is only counted where it has seen at least half a context.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "runtime/engine.h"

namespace plm::cli {

struct ChunkedText {
  std::vector<tokenizer::TokenId> tokens;  // n_chunks * n_context
  int64_t n_context = 0;
  int64_t n_chunks = 0;
};

// A text cut into chunks of n_context tokens, the rest left out; at most max_chunks (but one) unless
// negative. Fails with invalid_argument where the context is too short to score, or the text for two chunks.
Result<ChunkedText> chunk_text(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                               int64_t n_context, int64_t max_chunks);

// One scored place: the logits for `token`, before it was seen.
struct ScoredRow {
  int64_t chunk = 0;
  int64_t row = 0;  // 0 to n_context - 2 - n_context / 2
  tokenizer::TokenId token = 0;
  std::span<const float> logits;
};

struct ChunkVisitor {
  std::function<Status(const ScoredRow&)> row;
  std::function<void(int64_t n_chunks_done)> chunk_done;
};

// Runs all chunks, each from an empty cache; with a bos where the vocabulary adds one, in place of the first
// token.
Status score_chunks(const runtime::Engine& engine, runtime::Session& session, const ChunkedText& text,
                    int64_t batch_size, const ChunkVisitor& visitor);

// Mean and its standard error of numbers that come one by one.
class RunningMean {
 public:
  void add(double value) {
    ++count_;
    sum_ += value;
    sum_of_squares_ += value * value;
  }
  int64_t count() const { return count_; }
  double mean() const { return sum_ / static_cast<double>(count_); }
  double mean_of_squares() const { return sum_of_squares_ / static_cast<double>(count_); }
  double standard_error() const;

 private:
  int64_t count_ = 0;
  double sum_ = 0.0, sum_of_squares_ = 0.0;
};

}  // namespace plm::cli
