// One thread's view of the gang that runs a step. The model's text is run by all threads at once:
// each takes its share of every product and meets the others at barriers.
#pragma once

#include <algorithm>

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

  // y = (or +=) the sum of all rows of w, each times its coefficient: alone, without the others.
  void combine_rows(kernels::PackedMatrix w, const float* coefficient_R, float* y_K, bool add = false) const {
    const int64_t n_rows = w.rows;
    for (int64_t row = 0; row < n_rows; row += kernels::kCombineRows) {
      w.rows = std::min(kernels::kCombineRows, n_rows - row);
      k.combine_rows({.weight = &w, .coefficient_R = coefficient_R + row, .y_K = y_K, .add = add || row > 0});
      w.data += w.bytes();
    }
  }
};

}  // namespace plm::model
