// The steps that latent and expanded attention share: products of a few rows with a panel, the
// transposition of floats, a step of a running softmax.
#pragma once

#include "kernels/x86/simd_avx2.h"

namespace plm::kernels::avx2 {

// A matrix of floats: element (i, k) is at data[i * row_stride + k * column_stride].
struct Strided {
  const float* data;
  int64_t row_stride, column_stride = 1;
};

// c[m][n] = scale_c[m] c[m][n] (null: 0) + sum over k of a[m][k] b[k][n].
struct PanelProduct {
  Strided a;
  const float* b;
  int64_t b_stride;
  int64_t n_k;
  float* c;
  int64_t c_stride;
  const float* scale_c;
  int64_t n_rows, n_columns;
};

// kRows rows from m on and 8 kVectors columns from n on, of which the last eight may be fewer.
template <int kRows, int kVectors, bool kMasked>
inline void panel_tile(const PanelProduct& p, int64_t m, int64_t n) {
  const __m256i mask = tail_mask(p.n_columns - n - 8 * (kVectors - 1));
  const auto load_vector = [&](const float* at, int v) {
    return kMasked && v == kVectors - 1 ? _mm256_maskload_ps(at + 8 * v, mask) : _mm256_loadu_ps(at + 8 * v);
  };
  float* c = p.c + m * p.c_stride + n;
  __m256 sums[kRows][kVectors];
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      sums[i][v] = p.scale_c == nullptr
                       ? _mm256_setzero_ps()
                       : _mm256_mul_ps(load_vector(c + i * p.c_stride, v), _mm256_set1_ps(p.scale_c[m + i]));
    }
  }
  const float* a = p.a.data + m * p.a.row_stride;
  for (int64_t k = 0; k < p.n_k; ++k) {
    __m256 columns[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) columns[v] = load_vector(p.b + k * p.b_stride + n, v);
#pragma GCC unroll 6
    for (int i = 0; i < kRows; ++i) {
      const __m256 value = _mm256_set1_ps(a[i * p.a.row_stride + k * p.a.column_stride]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm256_fmadd_ps(value, columns[v], sums[i][v]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      float* at = c + i * p.c_stride + 8 * v;
      if (kMasked && v == kVectors - 1) {
        _mm256_maskstore_ps(at, mask, sums[i][v]);
      } else {
        _mm256_storeu_ps(at, sums[i][v]);
      }
    }
  }
}

template <int kVectors, bool kMasked>
inline void panel_rows(const PanelProduct& p, int64_t n) {
  int64_t m = 0;
  for (; m + 6 <= p.n_rows; m += 6) panel_tile<6, kVectors, kMasked>(p, m, n);
  for (; m + 2 <= p.n_rows; m += 2) panel_tile<2, kVectors, kMasked>(p, m, n);
  for (; m < p.n_rows; ++m) panel_tile<1, kVectors, kMasked>(p, m, n);
}

// Reads and writes no columns beyond n_columns.
inline void panel_product(const PanelProduct& p) {
  int64_t n = 0;
  for (; n + 16 <= p.n_columns; n += 16) panel_rows<2, false>(p, n);
  if (n + 8 <= p.n_columns) {
    panel_rows<1, false>(p, n);
    n += 8;
  }
  if (n < p.n_columns) panel_rows<1, true>(p, n);
}

// out[j * out_stride + i] = in[i * in_stride + j] for 8 x 8 numbers; rows i >= n_rows count as zero,
// columns j >= n_columns are neither read nor written.
inline void transpose_8x8(const float* in, int64_t in_stride, int64_t n_rows, int64_t n_columns, float* out,
                          int64_t out_stride) {
  const __m256i mask = tail_mask(n_columns);
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    r[i] = i < n_rows ? _mm256_maskload_ps(in + i * in_stride, mask) : _mm256_setzero_ps();
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {  // r[4 i + j]: in lane l, column 4 l + j of rows 4 i .. 4 i + 3
    r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    if (j < n_columns) {
      _mm256_storeu_ps(out + j * out_stride, _mm256_permute2f128_ps(r[j], r[4 + j], 0x20));
    }
    if (j + 4 < n_columns) {
      _mm256_storeu_ps(out + (j + 4) * out_stride, _mm256_permute2f128_ps(r[j], r[4 + j], 0x31));
    }
  }
}

// One step of the running softmax of a row of n scores: turns them into exp(score - new maximum), zero
// up to n_padded (a multiple of 8); updates maximum and sum; returns by how much what was summed before
// shrinks.
inline float softmax_step(float* scores, int64_t n, int64_t n_padded, float& maximum, float& sum) {
  __m256 largest = _mm256_set1_ps(maximum);
  for (int64_t s = 0; s < n; s += 8) {
    const __m256 mask = _mm256_castsi256_ps(tail_mask(n - s));
    const __m256 seen = _mm256_blendv_ps(largest, _mm256_loadu_ps(scores + s), mask);
    largest = _mm256_max_ps(largest, seen);
  }
  const float new_maximum = largest_of_lanes(largest);
  const __m256 shift = _mm256_set1_ps(new_maximum);
  __m256 total = _mm256_setzero_ps();
  for (int64_t s = 0; s < n_padded; s += 8) {
    const __m256 mask = _mm256_castsi256_ps(tail_mask(n - s));
    const __m256 weight = _mm256_and_ps(mask, exp(_mm256_sub_ps(_mm256_loadu_ps(scores + s), shift)));
    total = _mm256_add_ps(total, weight);
    _mm256_storeu_ps(scores + s, weight);
  }
  const float keep = _mm256_cvtss_f32(exp(_mm256_set1_ps(maximum - new_maximum)));
  const float kept = sum > 0 ? keep : 0.0f;
  sum = sum * kept + sum_of_lanes(total);
  maximum = new_maximum;
  return kept;
}

}  // namespace plm::kernels::avx2
