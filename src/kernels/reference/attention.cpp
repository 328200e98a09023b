// Latent attention in both forms, reading like the equations (plm-facts 1.5, docs/dimensions.md).
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cache_row.h"
#include "kernels/reference/reference.h"

namespace plm::kernels::reference {
namespace {

double dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

}  // namespace

void latent_attend(const LatentAttendArgs& args) {
  const int64_t C = args.latent_width;
  const int64_t E = C + args.rope_width;
  std::vector<float> rows_SE(static_cast<size_t>(args.n_rows * E));
  for (int64_t s = 0; s < args.n_rows; ++s) {
    decode_cache_row(args.cache_type, args.rows + s * args.row_bytes, E, rows_SE.data() + s * E);
  }
  std::vector<double> score(static_cast<size_t>(args.n_rows));
  for (int64_t h = 0; h < args.n_heads; ++h) {
    double largest = -std::numeric_limits<double>::infinity();
    for (int64_t s = 0; s < args.n_rows; ++s) {
      score[static_cast<size_t>(s)] = dot(args.q_HE + h * E, rows_SE.data() + s * E, E);
      largest = std::max(largest, score[static_cast<size_t>(s)]);
    }
    double sum = 0;
    std::vector<double> out(static_cast<size_t>(C), 0.0);
    for (int64_t s = 0; s < args.n_rows; ++s) {
      const double weight = std::exp(score[static_cast<size_t>(s)] - largest);
      sum += weight;
      for (int64_t c = 0; c < C; ++c)
        out[static_cast<size_t>(c)] += weight * rows_SE[static_cast<size_t>(s * E + c)];
    }
    for (int64_t c = 0; c < C; ++c) args.out_HC[h * C + c] = static_cast<float>(out[static_cast<size_t>(c)]);
    args.max_H[h] = static_cast<float>(largest);
    args.sum_H[h] = static_cast<float>(sum);
  }
}

void expanded_attend(const ExpandedAttendArgs& args) {
  PLM_CHECK(args.n_tokens <= kExpandedTokens && args.n_rows <= kExpandedRows);
  for (int64_t t = 0; t < args.n_tokens; ++t) {
    const int64_t visible = std::min(args.n_rows, args.first_position + t - args.first_key_position + 1);
    if (visible <= 0) continue;
    double score[kExpandedRows];
    double largest = args.max_T[t];
    for (int64_t s = 0; s < visible; ++s) {
      score[s] = dot(args.q_TQ + t * args.q_stride, args.k_SQ + s * args.k_stride, args.key_width);
      largest = std::max(largest, score[s]);
    }
    const double keep = std::exp(args.max_T[t] - largest);  // 0 at the start
    double sum = args.sum_T[t] * keep;
    float* out_V = args.out_TV + t * args.out_stride;
    std::vector<double> out(static_cast<size_t>(args.value_width));
    for (int64_t v = 0; v < args.value_width; ++v) out[static_cast<size_t>(v)] = keep * out_V[v];
    for (int64_t s = 0; s < visible; ++s) {
      const double weight = std::exp(score[s] - largest);
      sum += weight;
      for (int64_t v = 0; v < args.value_width; ++v) {
        out[static_cast<size_t>(v)] += weight * args.v_SV[s * args.v_stride + v];
      }
    }
    for (int64_t v = 0; v < args.value_width; ++v) out_V[v] = static_cast<float>(out[static_cast<size_t>(v)]);
    args.max_T[t] = static_cast<float>(largest);
    args.sum_T[t] = static_cast<float>(sum);
  }
}

}  // namespace plm::kernels::reference
