// The two steps that latent and expanded attention share: products of a few rows with a panel, and
// the transposition of 32-bit numbers (floats, or pairs of bf16). Products are float32 or, where the
// file is compiled for it, pairs of bf16: a panel row is then two values of the summed dimension.
#pragma once

#include "kernels/x86/simd_avx512.h"

namespace plm::kernels::avx512 {

struct FloatProduct {
  static __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
  }
};

// What a product asks memory for while it computes: nothing, or the bytes that come next, a line for each
// turn of the inner loop.
struct NothingAhead {
  [[gnu::always_inline]] inline void step() {}
};
struct Ahead {
  const std::byte* next;
  const std::byte* end;
  [[gnu::always_inline]] inline void step() {
    if (next >= end) return;
    _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
    next += 64;
  }
};

template <int kRows>
struct Rows {
  static constexpr int value = kRows;
};

// c[m][n] (+)= sum over k of a[m][k] b[k][n] for kRows rows and 16 kVectors columns.
// a: 32-bit numbers, a_stride apart; b: panel rows b_stride numbers apart. scale_c multiplies what c
// held before (null: c is overwritten).
template <class Product, int kRows, int kVectors, class Prefetch>
inline void panel_tile(const uint32_t* a, int64_t a_stride, const uint32_t* b, int64_t b_stride, int64_t n_k,
                       float* c, int64_t c_stride, const float* scale_c, __mmask16 last_mask,
                       Prefetch& ahead) {
  __m512 sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __mmask16 mask = v == kVectors - 1 ? last_mask : 0xffff;
      sums[m][v] = scale_c == nullptr ? _mm512_setzero_ps()
                                      : _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, c + m * c_stride + 16 * v),
                                                      _mm512_set1_ps(scale_c[m]));
    }
  }
  for (int64_t k = 0; k < n_k; ++k) {
    ahead.step();
    __m512i columns[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) columns[v] = load(b + k * b_stride + 16 * v);
#pragma GCC unroll 16
    for (int m = 0; m < kRows; ++m) {
      const __m512i value = _mm512_set1_epi32(static_cast<int>(a[m * a_stride + k]));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[m][v] = Product::multiply_add(sums[m][v], value, columns[v]);
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __mmask16 mask = v == kVectors - 1 ? last_mask : 0xffff;
      _mm512_mask_storeu_ps(c + m * c_stride + 16 * v, mask, sums[m][v]);
    }
  }
}

// All rows for 16 kVectors columns, in tiles of nearly the same height: 16 rows are 6, 5 and 5.
template <class Product, int kVectors, class Prefetch>
inline void panel_rows(const uint32_t* a, int64_t a_stride, const uint32_t* b, int64_t b_stride, int64_t n_k,
                       float* c, int64_t c_stride, const float* scale_c, int64_t n_rows, __mmask16 last_mask,
                       Prefetch& ahead) {
  // One column of registers leaves room for more rows, which hide the latency of the additions.
  constexpr int64_t kHighest = kVectors == 1 ? 14 : 6;
  for (int64_t m = 0; m < n_rows;) {
    const int64_t n_tiles = (n_rows - m + kHighest - 1) / kHighest;
    const int64_t height = (n_rows - m + n_tiles - 1) / n_tiles;
    const float* scale = scale_c == nullptr ? nullptr : scale_c + m;
    const auto tile = [&](auto rows) {
      panel_tile<Product, decltype(rows)::value, kVectors, Prefetch>(
          a + m * a_stride, a_stride, b, b_stride, n_k, c + m * c_stride, c_stride, scale, last_mask, ahead);
      m += decltype(rows)::value;
    };
    if constexpr (kVectors == 1) {
      if (height >= 14) {
        tile(Rows<14>{});
        continue;
      }
    }
    switch (height) {
      case 1:
        tile(Rows<1>{});
        break;
      case 2:
        tile(Rows<2>{});
        break;
      case 3:
        tile(Rows<3>{});
        break;
      case 4:
        tile(Rows<4>{});
        break;
      case 5:
        tile(Rows<5>{});
        break;
      default:
        tile(Rows<6>{});
    }
  }
}

// n_rows rows of a times a panel of n_columns columns (b is readable to a multiple of 16).
template <class Product, class Prefetch>
inline void panel_product(const uint32_t* a, int64_t a_stride, const uint32_t* b, int64_t b_stride,
                          int64_t n_k, float* c, int64_t c_stride, const float* scale_c, int64_t n_rows,
                          int64_t n_columns, Prefetch& ahead) {
  int64_t n = 0;
  for (; n + 64 <= n_columns; n += 64) {
    panel_rows<Product, 4, Prefetch>(a, a_stride, b + n, b_stride, n_k, c + n, c_stride, scale_c, n_rows,
                                     0xffff, ahead);
  }
  for (; n < n_columns; n += 16) {
    panel_rows<Product, 1, Prefetch>(a, a_stride, b + n, b_stride, n_k, c + n, c_stride, scale_c, n_rows,
                                     tail_mask(n_columns - n), ahead);
  }
}

template <class Product>
inline void panel_product(const uint32_t* a, int64_t a_stride, const uint32_t* b, int64_t b_stride,
                          int64_t n_k, float* c, int64_t c_stride, const float* scale_c, int64_t n_rows,
                          int64_t n_columns) {
  NothingAhead nothing;
  panel_product<Product, NothingAhead>(a, a_stride, b, b_stride, n_k, c, c_stride, scale_c, n_rows, n_columns,
                                       nothing);
}

// out[j * out_stride + i] = in[i * in_stride + j] for 16 x 16 numbers; rows i >= n_rows count as zero,
// columns j >= n_columns are not written.
inline void transpose_16x16(const uint32_t* in, int64_t in_stride, int64_t n_rows, int64_t n_columns,
                            uint32_t* out, int64_t out_stride) {
  __m512i r[16];
  const __mmask16 mask = tail_mask(n_columns);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    r[i] = i < n_rows ? _mm512_maskz_loadu_epi32(mask, in + i * in_stride) : _mm512_setzero_si512();
  }
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  // Lane l of r[4 i + j] has column 4 l + j of rows 4 i .. 4 i + 3; gather the lanes of a column.
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88),
                  b = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd);
    const __m512i c = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88),
                  d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
    const __m512i columns[4] = {_mm512_shuffle_i32x4(a, c, 0x88), _mm512_shuffle_i32x4(b, d, 0x88),
                                _mm512_shuffle_i32x4(a, c, 0xdd), _mm512_shuffle_i32x4(b, d, 0xdd)};
#pragma GCC unroll 4
    for (int l = 0; l < 4; ++l) {
      if (4 * l + j < n_columns) _mm512_storeu_si512(out + (4 * l + j) * out_stride, columns[l]);
    }
  }
}

// One step of the running softmax of a row of n scores (those beyond are not seen): turns scores into
// exp(score - new maximum), zero up to n_padded; updates maximum and sum; returns by how much what was
// summed before shrinks.
inline float softmax_step(float* scores, int64_t n, int64_t n_padded, float& maximum, float& sum) {
  __m512 largest = _mm512_set1_ps(maximum);
  for (int64_t s = 0; s < n; s += 16) {
    const __mmask16 mask = tail_mask(n - s);
    largest = _mm512_mask_max_ps(largest, mask, largest, _mm512_maskz_loadu_ps(mask, scores + s));
  }
  const float new_maximum = _mm512_reduce_max_ps(largest);
  const __m512 shift = _mm512_set1_ps(new_maximum);
  __m512 total = _mm512_setzero_ps();
  for (int64_t s = 0; s < n_padded; s += 16) {
    const __mmask16 mask = s < n ? tail_mask(n - s) : 0;
    const __m512 weight = _mm512_maskz_mov_ps(mask, exp(_mm512_sub_ps(_mm512_loadu_ps(scores + s), shift)));
    total = _mm512_add_ps(total, weight);
    _mm512_storeu_ps(scores + s, weight);
  }
  const float keep = _mm512_cvtss_f32(exp(_mm512_set1_ps(maximum - new_maximum)));
  const float kept = sum > 0 ? keep : 0.0f;
  sum = sum * kept + _mm512_reduce_add_ps(total);
  maximum = new_maximum;
  return kept;
}

}  // namespace plm::kernels::avx512
