// Grouped-query attention, one key-value head and the heads that share it.
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cache_row.h"
#include "kernels/reference/reference.h"

namespace plm::kernels::reference {

void group_attend(const GroupAttendArgs& args) {
  const int64_t Q = args.key_width, V = args.value_width;
  std::vector<float> rows(static_cast<size_t>(args.n_rows * (Q + V)));
  for (int64_t s = 0; s < args.n_rows; ++s) {
    decode_cache_row(args.cache_type, args.rows + s * args.row_bytes, Q + V, rows.data() + s * (Q + V));
  }
  std::vector<double> score(static_cast<size_t>(args.n_rows));
  for (int64_t h = 0; h < args.n_heads; ++h) {
    double largest = -std::numeric_limits<double>::infinity();
    for (int64_t s = 0; s < args.n_rows; ++s) {
      double sum = 0;
      for (int64_t i = 0; i < Q; ++i) {
        sum += static_cast<double>(args.q_HQ[h * Q + i]) * rows[static_cast<size_t>(s * (Q + V) + i)];
      }
      score[static_cast<size_t>(s)] = sum;
      largest = std::max(largest, sum);
    }
    double sum = 0;
    std::vector<double> out(static_cast<size_t>(V), 0.0);
    for (int64_t s = 0; s < args.n_rows; ++s) {
      const double weight = std::exp(score[static_cast<size_t>(s)] - largest);
      sum += weight;
      for (int64_t v = 0; v < V; ++v) {
        out[static_cast<size_t>(v)] += weight * rows[static_cast<size_t>(s * (Q + V) + Q + v)];
      }
    }
    for (int64_t v = 0; v < V; ++v) args.out_HV[h * V + v] = static_cast<float>(out[static_cast<size_t>(v)]);
    args.max_H[h] = static_cast<float>(largest);
    args.sum_H[h] = static_cast<float>(sum);
  }
}

}  // namespace plm::kernels::reference
