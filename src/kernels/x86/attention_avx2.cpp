// Attention in float32 on AVX2. Latent: 16 heads are the lanes of two registers when scores are
// computed, so that a cached row is read once for all of them; the sums of values are the transposed
// weights times the rows. Expanded: positions, then values, are the lanes. Tiles are 6 x 16.
#include "kernels/cache_row.h"
#include "kernels/x86/attention_tiles_avx2.h"
#include "kernels/x86/avx2.h"

namespace plm::kernels::avx2 {
namespace {

constexpr int64_t kHeads = 16;

// Decodes a row of the cache into floats; reads no further than the row, writes up to a multiple of 8.
void load_row(TensorType type, const std::byte* row, int64_t width, float* out) {
  int64_t i = 0;
  if (type == TensorType::f32) {
    for (; i < width; i += 8) {
      const float* at = reinterpret_cast<const float*>(row) + i;
      _mm256_storeu_ps(out + i, _mm256_maskload_ps(at, tail_mask(width - i)));
    }
    return;
  }
  if (type == TensorType::q8_0) {
    decode_cache_row(type, row, width, out);
    return;
  }
  for (; i + 8 <= width; i += 8) {
    _mm256_storeu_ps(out + i, type == TensorType::f16 ? load_halves(row + 2 * i) : load_bf16(row + 2 * i));
  }
  if (i < width) decode_cache_row(type, row + 2 * i, width - i, out + i);
}

struct Heads {
  int64_t first, count;  // at most kHeads
};

// The softmax of the scores of 8 heads, [s][kHeads], in place.
inline void softmax_of_lanes(float* scores, int64_t n_rows, int64_t n_heads, float* max_H, float* sum_H) {
  __m256 largest = _mm256_loadu_ps(scores);
  for (int64_t s = 1; s < n_rows; ++s) {
    largest = _mm256_max_ps(largest, _mm256_loadu_ps(scores + kHeads * s));
  }
  __m256 sum = _mm256_setzero_ps();
  for (int64_t s = 0; s < n_rows; ++s) {
    const __m256 weight = exp(_mm256_sub_ps(_mm256_loadu_ps(scores + kHeads * s), largest));
    sum = _mm256_add_ps(sum, weight);
    _mm256_storeu_ps(scores + kHeads * s, weight);
  }
  const __m256i mask = tail_mask(n_heads);
  _mm256_maskstore_ps(max_H, mask, largest);
  _mm256_maskstore_ps(sum_H, mask, sum);
}

void attend_heads(const LatentAttendArgs& args, Heads heads, const float* rows_SE, int64_t row_stride,
                  float* scores_SH, float* q_EH) {
  const int64_t C = args.latent_width, E = C + args.rope_width;
  for (int64_t e = 0; e < E; e += 8) {
    for (int64_t h = 0; h < kHeads; h += 8) {
      transpose_8x8(args.q_HE + (heads.first + h) * E + e, E, heads.count - h, E - e, q_EH + kHeads * e + h,
                    kHeads);
    }
  }
  panel_product({.a = {rows_SE, row_stride},
                 .b = q_EH,
                 .b_stride = kHeads,
                 .n_k = E,
                 .c = scores_SH,
                 .c_stride = kHeads,
                 .scale_c = nullptr,
                 .n_rows = args.n_rows,
                 .n_columns = kHeads});
  for (int64_t h = 0; h < heads.count; h += 8) {
    softmax_of_lanes(scores_SH + h, args.n_rows, heads.count - h, args.max_H + heads.first + h,
                     args.sum_H + heads.first + h);
  }
  panel_product({.a = {scores_SH, 1, kHeads},
                 .b = rows_SE,
                 .b_stride = row_stride,
                 .n_k = args.n_rows,
                 .c = args.out_HC + heads.first * C,
                 .c_stride = C,
                 .scale_c = nullptr,
                 .n_rows = heads.count,
                 .n_columns = C});
}

int64_t visible_rows(const ExpandedAttendArgs& args, int64_t token) {
  const int64_t visible = args.first_position + token - args.first_key_position + 1;
  return visible < 0 ? 0 : (visible > args.n_rows ? args.n_rows : visible);
}

}  // namespace

void latent_attend(const LatentAttendArgs& args) {
  const int64_t E = args.latent_width + args.rope_width;
  const int64_t row_stride = (E + 31) / 32 * 32;
  auto* rows_SE = reinterpret_cast<float*>(args.scratch);
  float* scores_SH = rows_SE + args.n_rows * row_stride;
  float* q_EH = scores_SH + (args.n_rows + 31) / 32 * 32 * kHeads;
  for (int64_t s = 0; s < args.n_rows; ++s) {
    load_row(args.cache_type, args.rows + s * args.row_bytes, E, rows_SE + s * row_stride);
  }
  for (int64_t h = 0; h < args.n_heads; h += kHeads) {
    const int64_t left = args.n_heads - h;
    attend_heads(args, {h, left < kHeads ? left : kHeads}, rows_SE, row_stride, scores_SH, q_EH);
  }
}

void expanded_attend(const ExpandedAttendArgs& args) {
  const int64_t Q = args.key_width;
  const int64_t n_padded = (args.n_rows + 7) / 8 * 8;
  auto* k_QS = reinterpret_cast<float*>(args.scratch);
  float* scores_TS = k_QS + (Q + 7) / 8 * 8 * kExpandedRows;
  float* keep_T = scores_TS + kExpandedTokens * kExpandedRows;
  for (int64_t s = 0; s < args.n_rows; s += 8) {
    for (int64_t q = 0; q < Q; q += 8) {
      transpose_8x8(args.k_SQ + s * args.k_stride + q, args.k_stride, args.n_rows - s, Q - q,
                    k_QS + q * kExpandedRows + s, kExpandedRows);
    }
  }
  panel_product({.a = {args.q_TQ, args.q_stride},
                 .b = k_QS,
                 .b_stride = kExpandedRows,
                 .n_k = Q,
                 .c = scores_TS,
                 .c_stride = kExpandedRows,
                 .scale_c = nullptr,
                 .n_rows = args.n_tokens,
                 .n_columns = n_padded});
  for (int64_t t = 0; t < args.n_tokens; ++t) {
    const int64_t visible = visible_rows(args, t);
    float* scores = scores_TS + t * kExpandedRows;
    if (visible == 0) {
      keep_T[t] = 1;
      for (int64_t s = 0; s < n_padded; ++s) scores[s] = 0;
    } else {
      keep_T[t] = softmax_step(scores, visible, n_padded, args.max_T[t], args.sum_T[t]);
    }
  }
  panel_product({.a = {scores_TS, kExpandedRows},
                 .b = args.v_SV,
                 .b_stride = args.v_stride,
                 .n_k = args.n_rows,
                 .c = args.out_TV,
                 .c_stride = args.out_stride,
                 .scale_c = keep_T,
                 .n_rows = args.n_tokens,
                 .n_columns = args.value_width});
}

}  // namespace plm::kernels::avx2
