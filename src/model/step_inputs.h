// The inputs of matrix products in a step: a normed or plain set of rows, rounded once for all products that
// read it.
#pragma once

#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/activations.h"
#include "model/team.h"

namespace plm::model {

// Every thread of the team calls the same function with the same arguments. What it returns is complete
// and stays until the thread's next call.
class StepInputs {
 public:
  // Up to this many tokens each thread prepares all of the input for itself: the same work on all threads
  // takes no longer than on one, and nobody waits.
  static constexpr int64_t kPrivateTokens = kernels::kFineTokens;

  static Result<StepInputs> allocate(int64_t max_tokens, int64_t widest, int n_threads,
                                     kernels::Precision many_tokens);

  // The first n_tokens rows of x, each times weight over its root mean square. x must be complete.
  struct Norm {
    const float* weight_D = nullptr;
    int64_t width = 0;
    float epsilon = 0;
  };
  const kernels::Activations& normed(const Team& team, const Norm& norm, const float* x_TD, int64_t n_tokens);

  // The same for rows that are not one after the other; at most kPrivateTokens of them.
  const kernels::Activations& normed_rows(const Team& team, const Norm& norm, const float* x_TD,
                                          std::span<const int64_t> rows);

  // Rows of `width` numbers as they are; they must stay while the products read them.
  const kernels::Activations& plain(const Team& team, const float* values_TK, int64_t width,
                                    int64_t n_tokens);

 private:
  // A set of rows: one for each thread, and one for all.
  struct Input {
    kernels::Activations rounded;
    float* values_TK = nullptr;
  };
  // Starts an input and says which tokens this thread prepares; a shared one with a barrier inside.
  ThreadPool::Range begin(const Team& team, Input& input, const float* values_TK, int64_t width,
                          int64_t n_tokens);
  Input& input_for(const Team& team, int64_t n_tokens) {
    return n_tokens <= kPrivateTokens ? of_thread_[static_cast<size_t>(team.thread)] : shared_;
  }
  // A shared input is complete when all have prepared their tokens.
  const kernels::Activations& finish(const Team& team, const Input& input) const;

  Input shared_;
  std::vector<Input> of_thread_;
  AlignedBuffer storage_;
};

}  // namespace plm::model
