// Expanded attention with bf16 products, for the instruction sets that have them: everything but the product
// itself. Everything here is local to the file that includes it, for each is compiled with flags of its own.
#pragma once

#include "kernels/x86/attention_tiles_avx512.h"
#include "kernels/x86/avx512.h"

namespace plm::kernels::bf16 {
namespace {

// Rounds n floats (those beyond are zero up to n_padded, a multiple of 32) to bf16.
inline void to_bf16(const float* in, int64_t n, int64_t n_padded, uint16_t* out) {
  for (int64_t i = 0; i < n_padded; i += 32) {
    const __m512 a = _mm512_maskz_loadu_ps(i < n ? avx512::tail_mask(n - i) : 0, in + i);
    const __m512 b = _mm512_maskz_loadu_ps(i + 16 < n ? avx512::tail_mask(n - i - 16) : 0, in + i + 16);
    _mm512_storeu_si512(out + i, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a)));
  }
}

// Two rows of 32 bf16 become 32 pairs (row a, row b), in order.
inline void interleave(__m512i a, __m512i b, uint32_t* out) {
  alignas(64) static constexpr uint16_t kFirst[32] = {0,  32, 1,  33, 2,  34, 3,  35, 4,  36, 5,
                                                      37, 6,  38, 7,  39, 8,  40, 9,  41, 10, 42,
                                                      11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
  const __m512i first = _mm512_load_si512(kFirst);
  const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
  _mm512_storeu_si512(out, _mm512_permutex2var_epi16(a, first, b));
  _mm512_storeu_si512(out + 16, _mm512_permutex2var_epi16(a, second, b));
}

// Product::multiply(a, a_stride, b, b_stride, n_k, c, c_stride, scale_c, n_rows, n_columns): pairs of bf16,
//   c[m][n] = (scale_c[m] c[m][n], or 0 where scale_c is null) + sum over k of a[m][k] b[k][n]
// n_k is a multiple of 16; b is readable to a multiple of 16 columns.
template <class Product>
void expanded_attend(const ExpandedAttendArgs& args) {
  const int64_t Q = (args.key_width + 31) / 32 * 32, V = (args.value_width + 31) / 32 * 32;
  const int64_t n_padded = (args.n_rows + 31) / 32 * 32;
  // One after the other: queries [T][Q], keys [S][Q] then [Q/2][S], values [S/2][V] as pairs, scores
  // in float and in bf16.
  auto* q_TQ = reinterpret_cast<uint16_t*>(args.scratch);
  uint16_t* k_SQ = q_TQ + kExpandedTokens * Q;
  auto* k_QS = reinterpret_cast<uint32_t*>(k_SQ + kExpandedRows * Q);
  uint32_t* v_SV = k_QS + Q / 2 * kExpandedRows;
  auto* scores_TS = reinterpret_cast<float*>(v_SV + kExpandedRows / 2 * V);
  auto* weights_TS = reinterpret_cast<uint16_t*>(scores_TS + kExpandedTokens * kExpandedRows);
  auto* keep_T = reinterpret_cast<float*>(weights_TS + kExpandedTokens * kExpandedRows);

  for (int64_t t = 0; t < args.n_tokens; ++t)
    to_bf16(args.q_TQ + t * args.q_stride, args.key_width, Q, q_TQ + t * Q);
  for (int64_t s = 0; s < args.n_rows; ++s)
    to_bf16(args.k_SQ + s * args.k_stride, args.key_width, Q, k_SQ + s * Q);
  for (int64_t s = 0; s < args.n_rows; s += 16) {
    for (int64_t q = 0; q < Q / 2; q += 16) {
      avx512::transpose_16x16(reinterpret_cast<const uint32_t*>(k_SQ + s * Q) + q, Q / 2, args.n_rows - s, 16,
                              k_QS + q * kExpandedRows + s, kExpandedRows);
    }
  }
  for (int64_t s = 0; s < n_padded; s += 2) {
    for (int64_t v = 0; v < V; v += 32) {
      uint16_t rows[2][32] = {};
      for (int64_t i = 0; i < 2; ++i) {
        if (s + i < args.n_rows) {
          to_bf16(args.v_SV + (s + i) * args.v_stride + v, args.value_width - v, 32, rows[i]);
        }
      }
      interleave(avx512::load(rows[0]), avx512::load(rows[1]), v_SV + s / 2 * V + v);
    }
  }

  Product::multiply(reinterpret_cast<const uint32_t*>(q_TQ), Q / 2, k_QS, kExpandedRows, Q / 2, scores_TS,
                    kExpandedRows, nullptr, args.n_tokens, (args.n_rows + 15) / 16 * 16);
  for (int64_t t = 0; t < args.n_tokens; ++t) {
    int64_t visible = args.first_position + t - args.first_key_position + 1;
    visible = visible < 0 ? 0 : (visible > args.n_rows ? args.n_rows : visible);
    float* scores = scores_TS + t * kExpandedRows;
    if (visible > 0) {
      keep_T[t] = avx512::softmax_step(scores, visible, n_padded, args.max_T[t], args.sum_T[t]);
    } else {
      keep_T[t] = 1;
    }
    to_bf16(scores, visible, n_padded, weights_TS + t * kExpandedRows);
  }
  Product::multiply(reinterpret_cast<const uint32_t*>(weights_TS), kExpandedRows / 2, v_SV, V, n_padded / 2,
                    args.out_TV, args.out_stride, keep_T, args.n_tokens, args.value_width);
}

}  // namespace
}  // namespace plm::kernels::bf16
