// Attention with bf16 products (vdpbf16ps): twice the arithmetic of float32, which long contexts in
// the absorbed form need. Sums stay in float32.
#include <cmath>

#include "kernels/x86/attention_tiles_avx512.h"
#include "kernels/x86/avx512.h"
#include "kernels/x86/expanded_attend_bf16.h"

namespace plm::kernels::avx512_bf16 {
namespace {

using avx512::load;
using avx512::tail_mask;
using bf16::to_bf16;

struct PairProduct {
  static __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

// For bf16::expanded_attend.
struct VectorProduct {
  static void multiply(const uint32_t* a, int64_t a_stride, const uint32_t* b, int64_t b_stride, int64_t n_k,
                       float* c, int64_t c_stride, const float* scale_c, int64_t n_rows, int64_t n_columns) {
    avx512::panel_product<PairProduct>(a, a_stride, b, b_stride, n_k, c, c_stride, scale_c, n_rows,
                                       n_columns);
  }
};

// Rows of a block; pairs along E of a slab of it.
constexpr int64_t kBlockRows = 64;
constexpr int64_t kSlabPairs = 96;

// scores_HS[h][s] = q[h] . row[s] for n rows.
inline void score_block(const LatentAttendArgs& args, const uint16_t* q_HE, int64_t q_stride,
                        const std::byte* rows, int64_t n, const float* ones_H, uint32_t* panel,
                        float* scores_HS, avx512::Ahead& ahead) {
  const int64_t pairs = (args.latent_width + args.rope_width) / 2;
  const auto* q_pairs = reinterpret_cast<const uint32_t*>(q_HE);
  for (int64_t e = 0; e < pairs; e += kSlabPairs) {
    const int64_t n_pairs = pairs - e < kSlabPairs ? pairs - e : kSlabPairs;
    for (int64_t s = 0; s < n; s += 16) {
      const auto* at = reinterpret_cast<const uint32_t*>(rows + s * args.row_bytes) + e;
      for (int64_t i = 0; i < n_pairs; i += 16) {
        avx512::transpose_16x16(at + i, args.row_bytes / 4, n - s, n_pairs - i < 16 ? n_pairs - i : 16,
                                panel + i * kBlockRows + s, kBlockRows);
      }
    }
    avx512::panel_product<PairProduct>(q_pairs + e, q_stride / 2, panel, kBlockRows, n_pairs, scores_HS,
                                       kBlockRows, e == 0 ? nullptr : ones_H, args.n_heads,
                                       (n + 15) / 16 * 16, ahead);
  }
}

// One step of the running softmax: scores of n rows become weights_HS, rounded to bf16, zero beyond n; keep_H
// is by how much what was summed before shrinks. Head by head each would wait for the one before.
inline void weigh_block(const LatentAttendArgs& args, float* scores_HS, int64_t n, float* keep_H,
                        uint16_t* weights_HS) {
  const int64_t H = args.n_heads;
  const auto mask_of = [&](int64_t s) { return s < n ? tail_mask(n - s) : __mmask16{0}; };
  const auto score = [&](int64_t h, int64_t s) {
    return _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), mask_of(s), scores_HS + h * kBlockRows + s);
  };
  for (int64_t h = 0; h < H; ++h) {
    const __m512 a = _mm512_max_ps(score(h, 0), score(h, 16)), b = _mm512_max_ps(score(h, 32), score(h, 48));
    const float largest = _mm512_reduce_max_ps(_mm512_max_ps(a, b));
    keep_H[h] = args.max_H[h];
    if (largest > args.max_H[h]) args.max_H[h] = largest;
  }
  for (int64_t h = 0; h < H; h += 16) {
    const __mmask16 mask = tail_mask(H - h);
    const __m512 before = _mm512_maskz_loadu_ps(mask, keep_H + h);
    const __m512 keep = avx512::exp(_mm512_sub_ps(before, _mm512_maskz_loadu_ps(mask, args.max_H + h)));
    const __m512 sum = _mm512_mul_ps(keep, _mm512_maskz_loadu_ps(mask, args.sum_H + h));
    _mm512_mask_storeu_ps(keep_H + h, mask, keep);
    _mm512_mask_storeu_ps(args.sum_H + h, mask, sum);
  }
  for (int64_t h = 0; h < H; ++h) {
    const __m512 shift = _mm512_set1_ps(args.max_H[h]);
    __m512 total = _mm512_setzero_ps();
    for (int64_t s = 0; s < kBlockRows; s += 32) {
      const __m512 a = _mm512_maskz_mov_ps(mask_of(s), avx512::exp(_mm512_sub_ps(score(h, s), shift)));
      const __m512 b =
          _mm512_maskz_mov_ps(mask_of(s + 16), avx512::exp(_mm512_sub_ps(score(h, s + 16), shift)));
      total = _mm512_add_ps(total, _mm512_add_ps(a, b));
      _mm512_storeu_si512(weights_HS + h * kBlockRows + s,
                          reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a)));
    }
    args.sum_H[h] += _mm512_reduce_add_ps(total);
  }
}

// out[h][c] = keep[h] out[h][c] + sum over n rows of weight[h][s] row[s][c], for kHeads heads and 32
// columns. Two rows become pairs on the way: the low register has columns 0-3, 8-11, 16-19, 24-27 and the
// high one those between.
template <int kHeads>
inline void sum_tile(const uint32_t* weights, const std::byte* rows, int64_t row_bytes, int64_t n, float* out,
                     int64_t out_stride, const float* keep, avx512::Ahead& ahead) {
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  __m512 sums[kHeads][2];
#pragma GCC unroll 8
  for (int h = 0; h < kHeads; ++h) sums[h][0] = sums[h][1] = _mm512_setzero_ps();
  const auto add_pair = [&](__m512i a, __m512i b, int64_t pair) {
    const __m512i low = _mm512_unpacklo_epi16(a, b), high = _mm512_unpackhi_epi16(a, b);
#pragma GCC unroll 8
    for (int h = 0; h < kHeads; ++h) {
      const __m512i weight = _mm512_set1_epi32(static_cast<int>(weights[h * (kBlockRows / 2) + pair]));
      sums[h][0] = PairProduct::multiply_add(sums[h][0], weight, low);
      sums[h][1] = PairProduct::multiply_add(sums[h][1], weight, high);
    }
  };
  for (int64_t pair = 0; pair < n / 2; ++pair) {
    ahead.step();
    add_pair(load(rows), load(rows + row_bytes), pair);
    rows += 2 * row_bytes;
  }
  if (n % 2 != 0) add_pair(load(rows), _mm512_setzero_si512(), n / 2);
#pragma GCC unroll 8
  for (int h = 0; h < kHeads; ++h) {
    __m512 low = _mm512_permutex2var_ps(sums[h][0], first, sums[h][1]);
    __m512 high = _mm512_permutex2var_ps(sums[h][0], second, sums[h][1]);
    float* at = out + h * out_stride;
    if (keep != nullptr) {
      const __m512 scale = _mm512_set1_ps(keep[h]);
      low = _mm512_fmadd_ps(_mm512_loadu_ps(at), scale, low);
      high = _mm512_fmadd_ps(_mm512_loadu_ps(at + 16), scale, high);
    }
    _mm512_storeu_ps(at, low);
    _mm512_storeu_ps(at + 16, high);
  }
}

inline void sum_block(const LatentAttendArgs& args, const uint16_t* weights_HS, const std::byte* rows,
                      int64_t n, const float* keep_H, avx512::Ahead& ahead) {
  const int64_t C = args.latent_width, H = args.n_heads;
  const auto* weights = reinterpret_cast<const uint32_t*>(weights_HS);
  for (int64_t c = 0; c < C; c += 32) {
    int64_t h = 0;
    const auto tile = [&](auto heads) {
      constexpr int kHeads = decltype(heads)::value;
      for (; h + kHeads <= H; h += kHeads) {
        sum_tile<kHeads>(weights + h * (kBlockRows / 2), rows + 2 * c, args.row_bytes, n,
                         args.out_HC + h * C + c, C, keep_H == nullptr ? nullptr : keep_H + h, ahead);
      }
    };
    tile(avx512::Rows<8>{});
    tile(avx512::Rows<4>{});
    tile(avx512::Rows<1>{});
  }
}

}  // namespace

// Blocks of positions that pass through the two products while the next block comes from memory. Each
// product turns a slab of the rows that fits the first-level cache and uses it at once: for the scores into
// columns of pairs along E, so that positions are the lanes; for the sums into pairs of rows, so that the
// latent's numbers are the lanes. Broadcasts of queries and weights then serve several registers each; with
// heads as lanes every product would need one of its own.
void latent_attend(const LatentAttendArgs& args) {
  const int64_t H = args.n_heads, C = args.latent_width, E = C + args.rope_width, S = args.n_rows;
  // Pairs of odd widths or unaligned rows are not worth a path of their own.
  if (args.cache_type != TensorType::bf16 || E % 2 != 0 || C % 32 != 0 || args.row_bytes % 4 != 0) {
    avx512::latent_attend(args);
    return;
  }
  const int64_t padded_E = (E + 31) / 32 * 32;
  auto* panel = reinterpret_cast<uint32_t*>(args.scratch);
  auto* scores_HS = reinterpret_cast<float*>(panel + kSlabPairs * kBlockRows);
  auto* weights_HS = reinterpret_cast<uint16_t*>(scores_HS + H * kBlockRows);
  auto* keep_H = reinterpret_cast<float*>(weights_HS + H * kBlockRows);
  auto* q_HE = reinterpret_cast<uint16_t*>(keep_H + (H + 15) / 16 * 16);
  for (int64_t h = 0; h < H; ++h) {
    to_bf16(args.q_HE + h * E, E, padded_E, q_HE + h * padded_E);
    args.max_H[h] = -INFINITY;
    args.sum_H[h] = 0;
  }
  avx512::Ahead ahead{args.rows + kBlockRows * args.row_bytes, nullptr};
  for (int64_t begin = 0; begin < S; begin += kBlockRows) {
    const int64_t n = S - begin < kBlockRows ? S - begin : kBlockRows;
    const std::byte* rows = args.rows + begin * args.row_bytes;
    ahead.end = rows + 2 * kBlockRows * args.row_bytes;
    for (int64_t h = 0; h < H; ++h) keep_H[h] = 1;
    score_block(args, q_HE, padded_E, rows, n, keep_H, panel, scores_HS, ahead);
    weigh_block(args, scores_HS, n, keep_H, weights_HS);
    sum_block(args, weights_HS, rows, n, begin == 0 ? nullptr : keep_H, ahead);
  }
}

void expanded_attend(const ExpandedAttendArgs& args) {
  if (args.exact) {
    avx512::expanded_attend(args);
  } else {
    bf16::expanded_attend<VectorProduct>(args);
  }
}

}  // namespace plm::kernels::avx512_bf16
