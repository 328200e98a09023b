// Attention with bf16 products (vdpbf16ps): twice the arithmetic of float32, which long contexts in
// the absorbed form need. Sums stay in float32.
#include "kernels/x86/attention_tiles_avx512.h"
#include "kernels/x86/avx512.h"

namespace plm::kernels::avx512_bf16 {
namespace {

using avx512::load;
using avx512::tail_mask;

struct PairProduct {
  static __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

// Rounds n floats (those beyond are zero up to n_padded, a multiple of 32) to bf16.
inline void to_bf16(const float* in, int64_t n, int64_t n_padded, uint16_t* out) {
  for (int64_t i = 0; i < n_padded; i += 32) {
    const __m512 a = _mm512_maskz_loadu_ps(i < n ? tail_mask(n - i) : 0, in + i);
    const __m512 b = _mm512_maskz_loadu_ps(i + 16 < n ? tail_mask(n - i - 16) : 0, in + i + 16);
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

// Up to 16 heads. pairs_SC holds rows 2i, 2i+1 interleaved, C numbers a pair of rows.
void attend_heads(const LatentAttendArgs& args, int64_t h0, int64_t n_heads, const uint32_t* pairs_SC,
                  int64_t pair_stride, uint16_t* q_bf16, uint32_t* q_EH, float* scores_SH,
                  uint32_t* weights_SH) {
  const int64_t C = args.latent_width, E = C + args.rope_width;
  const int64_t padded_E = (E + 31) / 32 * 32;
  for (int64_t h = 0; h < n_heads; ++h) to_bf16(args.q_HE + (h0 + h) * E, E, padded_E, q_bf16 + h * padded_E);
  for (int64_t e = 0; e < padded_E / 2; e += 16) {
    avx512::transpose_16x16(reinterpret_cast<const uint32_t*>(q_bf16) + e, padded_E / 2, n_heads, 16,
                            q_EH + 16 * e, 16);
  }
  avx512::panel_product<PairProduct>(reinterpret_cast<const uint32_t*>(args.rows), args.row_bytes / 4, q_EH,
                                     16, E / 2, scores_SH, 16, nullptr, args.n_rows, 16);
  __m512 largest = _mm512_loadu_ps(scores_SH);
  for (int64_t s = 1; s < args.n_rows; ++s)
    largest = _mm512_max_ps(largest, _mm512_loadu_ps(scores_SH + 16 * s));
  __m512 sum = _mm512_setzero_ps();
  for (int64_t s = 0; s < args.n_rows; s += 2) {
    const __m512 w0 = avx512::exp(_mm512_sub_ps(_mm512_loadu_ps(scores_SH + 16 * s), largest));
    const __m512 w1 = s + 1 < args.n_rows
                          ? avx512::exp(_mm512_sub_ps(_mm512_loadu_ps(scores_SH + 16 * (s + 1)), largest))
                          : _mm512_setzero_ps();
    sum = _mm512_add_ps(sum, _mm512_add_ps(w0, w1));
    const __m512i b0 = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(w0)));
    const __m512i b1 = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(w1)));
    _mm512_storeu_si512(weights_SH + 8 * s, _mm512_or_si512(b0, _mm512_slli_epi32(b1, 16)));
  }
  const __mmask16 mask = tail_mask(n_heads);
  _mm512_mask_storeu_ps(args.max_H + h0, mask, largest);
  _mm512_mask_storeu_ps(args.sum_H + h0, mask, sum);
  const int64_t n_pairs = (args.n_rows + 1) / 2;
  for (int64_t c = 0; c < C; c += 16) {
    __m512 out[16];
#pragma GCC unroll 16
    for (int h = 0; h < 16; ++h) out[h] = _mm512_setzero_ps();
    for (int64_t i = 0; i < n_pairs; ++i) {
      const __m512i row = load(pairs_SC + i * pair_stride + c);
#pragma GCC unroll 16
      for (int h = 0; h < 16; ++h) {
        out[h] = PairProduct::multiply_add(out[h],
                                           _mm512_set1_epi32(static_cast<int>(weights_SH[16 * i + h])), row);
      }
    }
#pragma GCC unroll 16
    for (int h = 0; h < 16; ++h) {
      if (h < n_heads) _mm512_mask_storeu_ps(args.out_HC + (h0 + h) * C + c, tail_mask(C - c), out[h]);
    }
  }
}

}  // namespace

void latent_attend(const LatentAttendArgs& args) {
  const int64_t C = args.latent_width, E = C + args.rope_width;
  // Pairs of odd widths or unaligned rows are not worth a path of their own.
  if (args.cache_type != TensorType::bf16 || E % 2 != 0 || C % 32 != 0 || args.row_bytes % 4 != 0) {
    avx512::latent_attend(args);
    return;
  }
  const int64_t padded_E = (E + 31) / 32 * 32;
  const int64_t padded_rows = (args.n_rows + 31) / 32 * 32;
  auto* pairs_SC = reinterpret_cast<uint32_t*>(args.scratch);
  auto* scores_SH = reinterpret_cast<float*>(pairs_SC + padded_rows / 2 * C);
  auto* weights_SH = reinterpret_cast<uint32_t*>(scores_SH + padded_rows * 16);
  uint32_t* q_EH = weights_SH + padded_rows / 2 * 16;
  auto* q_bf16 = reinterpret_cast<uint16_t*>(q_EH + padded_E / 2 * 16);
  for (int64_t s = 0; s < args.n_rows; s += 2) {
    const std::byte* row = args.rows + s * args.row_bytes;
    for (int64_t c = 0; c < C; c += 32) {
      const __m512i a = load(row + 2 * c);
      const __m512i b = s + 1 < args.n_rows ? load(row + args.row_bytes + 2 * c) : _mm512_setzero_si512();
      interleave(a, b, pairs_SC + s / 2 * C + c);
    }
  }
  for (int64_t h = 0; h < args.n_heads; h += 16) {
    attend_heads(args, h, args.n_heads - h < 16 ? args.n_heads - h : 16, pairs_SC, C, q_bf16, q_EH, scores_SH,
                 weights_SH);
  }
}

void expanded_attend(const ExpandedAttendArgs& args) {
  if (args.exact) {
    avx512::expanded_attend(args);
    return;
  }
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
      interleave(load(rows[0]), load(rows[1]), v_SV + s / 2 * V + v);
    }
  }

  avx512::panel_product<PairProduct>(reinterpret_cast<const uint32_t*>(q_TQ), Q / 2, k_QS, kExpandedRows,
                                     Q / 2, scores_TS, kExpandedRows, nullptr, args.n_tokens,
                                     (args.n_rows + 15) / 16 * 16);
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
  avx512::panel_product<PairProduct>(reinterpret_cast<const uint32_t*>(weights_TS), kExpandedRows / 2, v_SV,
                                     V, n_padded / 2, args.out_TV, args.out_stride, keep_T, args.n_tokens,
                                     args.value_width);
}

}  // namespace plm::kernels::avx512_bf16
