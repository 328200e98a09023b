// When reading only live neurons pays: decided by the layer's own count, step by step.
#pragma once

#include "model/plm/workspace.h"

namespace plm::model {

// Above this share of live neurons the dense product is quicker: it reads in long runs and multiplies
// four neurons without gathering them (docs/LOG.md has the curve).
inline constexpr double kDenseFrom = 0.35;

// After a barrier behind the counting of live neurons; all threads come to the same answer.
inline bool is_sparse(const Workspace& work, int64_t n_tokens, int64_t ffn_width) {
  int64_t n_live = 0;
  for (const ThreadWorkspace& thread : work.threads) n_live += thread.n_live;
  return static_cast<double>(n_live) < kDenseFrom * static_cast<double>(n_tokens * ffn_width);
}

}  // namespace plm::model
