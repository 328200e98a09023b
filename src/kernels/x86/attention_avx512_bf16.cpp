// Attention with bf16 products (vdpbf16ps): twice the arithmetic of float32, which long contexts in
// the absorbed form need. Sums stay in float32.
#include <cmath>

#include "kernels/x86/attention_tiles_avx512.h"
#include "kernels/x86/avx512.h"

namespace plm::kernels::avx512_bf16 {
namespace {

using avx512::load;
using avx512::tail_mask;

// Asked for this much before it is read.
constexpr int64_t kPrefetchBytes = 6144;

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

}  // namespace

// Rows are turned twice: into columns of pairs along E, so that positions are the lanes of the scores, and
// into pairs of rows, so that the latent's numbers are the lanes of the sums. Broadcasts of queries and
// weights then serve several registers each; with heads as lanes every product would need one of its own.
void latent_attend(const LatentAttendArgs& args) {
  const int64_t H = args.n_heads, C = args.latent_width, E = C + args.rope_width, S = args.n_rows;
  // Pairs of odd widths or unaligned rows are not worth a path of their own.
  if (args.cache_type != TensorType::bf16 || E % 2 != 0 || C % 32 != 0 || args.row_bytes % 4 != 0) {
    avx512::latent_attend(args);
    return;
  }
  const int64_t padded_E = (E + 31) / 32 * 32, padded_S = (S + 31) / 32 * 32;
  auto* v_SC = reinterpret_cast<uint32_t*>(args.scratch);  // [S/2][C] pairs of rows
  uint32_t* k_ES = v_SC + padded_S / 2 * C;                // [E/2][S] pairs along E
  auto* q_HE = reinterpret_cast<uint16_t*>(k_ES + padded_E / 2 * padded_S);
  auto* scores_HS = reinterpret_cast<float*>(q_HE + H * padded_E);
  auto* weights_HS = reinterpret_cast<uint16_t*>(scores_HS + H * padded_S);
  for (int64_t h = 0; h < H; ++h) to_bf16(args.q_HE + h * E, E, padded_E, q_HE + h * padded_E);
  // First, because it reads the rows in order, which memory answers fastest.
  for (int64_t s = 0; s < padded_S; s += 2) {
    const std::byte* row = args.rows + s * args.row_bytes;
    for (int64_t c = 0; c < C; c += 32) {
      _mm_prefetch(reinterpret_cast<const char*>(row + kPrefetchBytes + 4 * c), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(row + kPrefetchBytes + 4 * c + 64), _MM_HINT_T0);
      const __m512i a = s < S ? load(row + 2 * c) : _mm512_setzero_si512();
      const __m512i b = s + 1 < S ? load(row + args.row_bytes + 2 * c) : _mm512_setzero_si512();
      interleave(a, b, v_SC + s / 2 * C + c);
    }
  }
  for (int64_t s = 0; s < S; s += 16) {
    const auto* rows = reinterpret_cast<const uint32_t*>(args.rows + s * args.row_bytes);
    for (int64_t e = 0; e < E / 2; e += 16) {
      avx512::transpose_16x16(rows + e, args.row_bytes / 4, S - s, E / 2 - e < 16 ? E / 2 - e : 16,
                              k_ES + e * padded_S + s, padded_S);
    }
  }
  avx512::panel_product<PairProduct>(reinterpret_cast<const uint32_t*>(q_HE), padded_E / 2, k_ES, padded_S,
                                     E / 2, scores_HS, padded_S, nullptr, H, (S + 15) / 16 * 16);
  for (int64_t h = 0; h < H; ++h) {
    args.max_H[h] = -INFINITY;
    args.sum_H[h] = 0;
    avx512::softmax_step(scores_HS + h * padded_S, S, padded_S, args.max_H[h], args.sum_H[h]);
    to_bf16(scores_HS + h * padded_S, S, padded_S, weights_HS + h * padded_S);
  }
  avx512::panel_product<PairProduct>(reinterpret_cast<const uint32_t*>(weights_HS), padded_S / 2, v_SC, C,
                                     padded_S / 2, args.out_HC, C, nullptr, H, C);
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
