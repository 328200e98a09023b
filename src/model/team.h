// One thread's view of the gang that runs a step. The model's text is run by all threads at once:
// each takes its share of every product and meets the others at barriers.
#pragma once

#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace plm::model {

struct Team {
  ThreadPool& pool;
  const kernels::Kernels& k;
  int thread = 0;

  bool is_first() const { return thread == 0; }
  void barrier() const { pool.barrier(); }
  ThreadPool::Range share(int64_t n_items, int64_t grain = 1) const {
    return pool.share(thread, n_items, grain);
  }

  // This thread's rows of y = (or +=) W x for all tokens of x. The others' rows are not yet there:
  // barrier() before anyone reads y.
  void matmul(const kernels::PackedMatrix& w, const kernels::Activations& x, float* y, int64_t y_stride,
              bool add = false) const {
    const auto [begin, end] = share(w.n_groups());
    if (begin == end) return;
    k.matmul({.weight = &w,
              .x = &x,
              .y = y,
              .y_stride = y_stride,
              .group_begin = begin,
              .group_end = end,
              .first_token = 0,
              .n_tokens = x.n_tokens,
              .token_stride = 1,
              .add = add});
  }
};

}  // namespace plm::model
