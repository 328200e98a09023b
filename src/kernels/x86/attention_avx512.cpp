// Attention in float32 on AVX-512. Latent: the heads are the lanes of a register, so that a cached row
// is read once for all of them. Expanded: positions, then values, are the lanes.
#include "kernels/cache_row.h"
#include "kernels/x86/attention_tiles_avx512.h"
#include "kernels/x86/avx512.h"

namespace plm::kernels::avx512 {
namespace {

// Decodes a row of the cache into floats, padded with zeros to a multiple of 16.
void load_row(TensorType type, const std::byte* row, int64_t width, float* out) {
  if (type == TensorType::q8_0) {
    decode_cache_row(type, row, width, out);
  } else {
    for (int64_t i = 0; i < width; i += 16) {
      const __mmask16 mask = tail_mask(width - i);
      __m512 v;
      if (type == TensorType::f32) {
        v = _mm512_maskz_loadu_ps(mask, reinterpret_cast<const float*>(row) + i);
      } else {
        const __m256i bits = _mm256_maskz_loadu_epi16(mask, row + 2 * i);
        v = type == TensorType::f16 ? _mm512_cvtph_ps(bits)
                                    : _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
      }
      _mm512_storeu_ps(out + i, v);
    }
    return;
  }
  for (int64_t i = width; i < (width + 15) / 16 * 16; ++i) out[i] = 0;
}

// Up to 16 heads, starting at head h0.
void attend_heads(const LatentAttendArgs& args, int64_t h0, int64_t n_heads, const float* rows_SE,
                  int64_t row_stride, float* scores_SH, uint32_t* q_EH) {
  const int64_t C = args.latent_width, E = C + args.rope_width;
  for (int64_t e = 0; e < E; e += 16) {
    transpose_16x16(reinterpret_cast<const uint32_t*>(args.q_HE + h0 * E + e), E, n_heads,
                    E - e < 16 ? E - e : 16, q_EH + 16 * e, 16);
  }
  // scores[s][h] = sum over e of row[s][e] q[e][h]
  panel_product<FloatProduct>(reinterpret_cast<const uint32_t*>(rows_SE), row_stride, q_EH, 16, E, scores_SH,
                              16, nullptr, args.n_rows, 16);
  __m512 largest = _mm512_loadu_ps(scores_SH);
  for (int64_t s = 1; s < args.n_rows; ++s)
    largest = _mm512_max_ps(largest, _mm512_loadu_ps(scores_SH + 16 * s));
  __m512 sum = _mm512_setzero_ps();
  for (int64_t s = 0; s < args.n_rows; ++s) {
    const __m512 weight = exp(_mm512_sub_ps(_mm512_loadu_ps(scores_SH + 16 * s), largest));
    sum = _mm512_add_ps(sum, weight);
    _mm512_storeu_ps(scores_SH + 16 * s, weight);
  }
  const __mmask16 mask = tail_mask(n_heads);
  _mm512_mask_storeu_ps(args.max_H + h0, mask, largest);
  _mm512_mask_storeu_ps(args.sum_H + h0, mask, sum);
  // out[h][c] = sum over s of weight[s][h] row[s][c]
  for (int64_t c = 0; c < C; c += 16) {
    const __mmask16 column_mask = tail_mask(C - c);
    __m512 out[16];
#pragma GCC unroll 16
    for (int h = 0; h < 16; ++h) out[h] = _mm512_setzero_ps();
    for (int64_t s = 0; s < args.n_rows; ++s) {
      const __m512 row = _mm512_loadu_ps(rows_SE + s * row_stride + c);
#pragma GCC unroll 16
      for (int h = 0; h < 16; ++h)
        out[h] = _mm512_fmadd_ps(row, _mm512_set1_ps(scores_SH[16 * s + h]), out[h]);
    }
#pragma GCC unroll 16
    for (int h = 0; h < 16; ++h) {
      if (h < n_heads) _mm512_mask_storeu_ps(args.out_HC + (h0 + h) * C + c, column_mask, out[h]);
    }
  }
}

}  // namespace

void latent_attend(const LatentAttendArgs& args) {
  const int64_t E = args.latent_width + args.rope_width;
  const int64_t row_stride = (E + 31) / 32 * 32;
  auto* rows_SE = reinterpret_cast<float*>(args.scratch);
  float* scores_SH = rows_SE + args.n_rows * row_stride;
  auto* q_EH = reinterpret_cast<uint32_t*>(scores_SH + (args.n_rows + 31) / 32 * 32 * 16);
  for (int64_t s = 0; s < args.n_rows; ++s) {
    load_row(args.cache_type, args.rows + s * args.row_bytes, E, rows_SE + s * row_stride);
  }
  for (int64_t h = 0; h < args.n_heads; h += 16) {
    attend_heads(args, h, args.n_heads - h < 16 ? args.n_heads - h : 16, rows_SE, row_stride, scores_SH,
                 q_EH);
  }
}

void expanded_attend(const ExpandedAttendArgs& args) {
  const int64_t Q = args.key_width;
  const int64_t n_padded = (args.n_rows + 15) / 16 * 16;
  auto* k_QS = reinterpret_cast<uint32_t*>(args.scratch);
  auto* scores_TS = reinterpret_cast<float*>(k_QS + (Q + 15) / 16 * 16 * kExpandedRows);
  float* keep_T = scores_TS + kExpandedTokens * kExpandedRows;
  for (int64_t s = 0; s < args.n_rows; s += 16) {
    for (int64_t q = 0; q < Q; q += 16) {
      transpose_16x16(reinterpret_cast<const uint32_t*>(args.k_SQ + s * args.k_stride + q), args.k_stride,
                      args.n_rows - s, Q - q < 16 ? Q - q : 16, k_QS + q * kExpandedRows + s, kExpandedRows);
    }
  }
  panel_product<FloatProduct>(reinterpret_cast<const uint32_t*>(args.q_TQ), args.q_stride, k_QS,
                              kExpandedRows, Q, scores_TS, kExpandedRows, nullptr, args.n_tokens, n_padded);
  for (int64_t t = 0; t < args.n_tokens; ++t) {
    int64_t visible = args.first_position + t - args.first_key_position + 1;
    visible = visible < 0 ? 0 : (visible > args.n_rows ? args.n_rows : visible);
    float* scores = scores_TS + t * kExpandedRows;
    if (visible == 0) {
      keep_T[t] = 1;
      for (int64_t s = 0; s < n_padded; ++s) scores[s] = 0;
    } else {
      keep_T[t] = softmax_step(scores, visible, n_padded, args.max_T[t], args.sum_T[t]);
    }
  }
  // Values of 16 columns at once; the last stretch may be narrower than a register, so it is copied.
  const int64_t V = args.value_width, whole = V / 16 * 16;
  panel_product<FloatProduct>(reinterpret_cast<const uint32_t*>(scores_TS), kExpandedRows,
                              reinterpret_cast<const uint32_t*>(args.v_SV), args.v_stride, args.n_rows,
                              args.out_TV, args.out_stride, keep_T, args.n_tokens, whole);
  if (whole == V) return;
  auto* v_S16 = reinterpret_cast<float*>(k_QS);  // the keys are done with
  for (int64_t s = 0; s < args.n_rows; ++s) {
    _mm512_storeu_ps(v_S16 + 16 * s,
                     _mm512_maskz_loadu_ps(tail_mask(V - whole), args.v_SV + s * args.v_stride + whole));
  }
  panel_product<FloatProduct>(reinterpret_cast<const uint32_t*>(scores_TS), kExpandedRows,
                              reinterpret_cast<const uint32_t*>(v_S16), 16, args.n_rows, args.out_TV + whole,
                              args.out_stride, keep_T, args.n_tokens, V - whole);
}

}  // namespace plm::kernels::avx512
