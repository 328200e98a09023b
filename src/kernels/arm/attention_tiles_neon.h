// The steps that latent and expanded attention share, in float32: products of a few rows with a panel,
// transposition, one step of a running softmax. Internal linkage: see simd_neon.h.
#pragma once

#include "kernels/arm/simd_neon.h"

namespace plm::kernels::neon {
namespace {

// Row i of a, c: a + i * a_stride, c + i * c_stride. scale (of each row) multiplies what c held before;
// null: c is overwritten. b: n_k rows, readable to a multiple of four columns.
struct Panel {
  const float* a = nullptr;
  int64_t a_stride = 0;
  const float* b = nullptr;
  int64_t b_stride = 0;
  int64_t n_k = 0;
  float* c = nullptr;
  int64_t c_stride = 0;
  const float* scale = nullptr;
};

// c[m][n] (+)= sum over k of a[m][k] b[k][n] for rows m0 .. and columns n0 ..; of the last four columns
// `last` are real.
template <int kRows, int kVectors>
inline void panel_tile(const Panel& p, int64_t m0, int64_t n0, int64_t last) {
  float32x4_t sums[kRows][kVectors];
#pragma GCC unroll 4
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const float* c = p.c + (m0 + m) * p.c_stride + n0 + 4 * v;
      sums[m][v] = p.scale == nullptr
                       ? vdupq_n_f32(0)
                       : vmulq_n_f32(load_first(c, v == kVectors - 1 ? last : 4), p.scale[m0 + m]);
    }
  }
  const float* b = p.b + n0;
  const float* a = p.a + m0 * p.a_stride;
  int64_t k = 0;
  for (; k + 4 <= p.n_k; k += 4) {
    float32x4_t four[kRows];
#pragma GCC unroll 4
    for (int m = 0; m < kRows; ++m) four[m] = vld1q_f32(a + m * p.a_stride + k);
    unrolled<4>([&]<int j>() __attribute__((always_inline)) {
      float32x4_t columns[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) columns[v] = vld1q_f32(b + (k + j) * p.b_stride + 4 * v);
#pragma GCC unroll 4
      for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sums[m][v] = vfmaq_laneq_f32(sums[m][v], columns[v], four[m], j);
      }
    });
  }
  for (; k < p.n_k; ++k) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const float32x4_t column = vld1q_f32(b + k * p.b_stride + 4 * v);
#pragma GCC unroll 4
      for (int m = 0; m < kRows; ++m) sums[m][v] = vfmaq_n_f32(sums[m][v], column, a[m * p.a_stride + k]);
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      store_first(p.c + (m0 + m) * p.c_stride + n0 + 4 * v, v == kVectors - 1 ? last : 4, sums[m][v]);
    }
  }
}

template <int kVectors>
inline void panel_rows(const Panel& p, int64_t n_rows, int64_t n0, int64_t last) {
  int64_t m = 0;
  for (; m + 4 <= n_rows; m += 4) panel_tile<4, kVectors>(p, m, n0, last);
  for (; m < n_rows; ++m) panel_tile<1, kVectors>(p, m, n0, last);
}

inline void panel_product(const Panel& p, int64_t n_rows, int64_t n_columns) {
  int64_t n = 0;
  for (; n + 16 <= n_columns; n += 16) panel_rows<4>(p, n_rows, n, 4);
  for (; n < n_columns; n += 4) panel_rows<1>(p, n_rows, n, n_columns - n < 4 ? n_columns - n : 4);
}

// out[j * out_stride + i] = in[i * in_stride + j] for i < n_rows, j < n_columns, written in fours: rows up
// to a multiple of four are zero. `out` has room for a multiple of four in both directions.
inline void transpose(const float* in, int64_t in_stride, int64_t n_rows, int64_t n_columns, float* out,
                      int64_t out_stride) {
  for (int64_t i = 0; i < n_rows; i += 4) {
    for (int64_t j = 0; j < n_columns; j += 4) {
      float32x4_t r[4];
#pragma GCC unroll 4
      for (int m = 0; m < 4; ++m) {
        r[m] = i + m < n_rows ? load_first(in + (i + m) * in_stride + j, n_columns - j) : vdupq_n_f32(0);
      }
      const float64x2_t even01 = vreinterpretq_f64_f32(vtrn1q_f32(r[0], r[1]));
      const float64x2_t odd01 = vreinterpretq_f64_f32(vtrn2q_f32(r[0], r[1]));
      const float64x2_t even23 = vreinterpretq_f64_f32(vtrn1q_f32(r[2], r[3]));
      const float64x2_t odd23 = vreinterpretq_f64_f32(vtrn2q_f32(r[2], r[3]));
      float* to = out + j * out_stride + i;
      vst1q_f32(to, vreinterpretq_f32_f64(vtrn1q_f64(even01, even23)));
      vst1q_f32(to + out_stride, vreinterpretq_f32_f64(vtrn1q_f64(odd01, odd23)));
      vst1q_f32(to + 2 * out_stride, vreinterpretq_f32_f64(vtrn2q_f64(even01, even23)));
      vst1q_f32(to + 3 * out_stride, vreinterpretq_f32_f64(vtrn2q_f64(odd01, odd23)));
    }
  }
}

// One step of the running softmax of a row of n scores (those beyond are not looked at): turns scores
// into exp(score - new maximum), zero from n to n_padded, a multiple of four; updates maximum and sum;
// returns by how much what was summed before shrinks.
inline float softmax_step(float* scores, int64_t n, int64_t n_padded, float& maximum, float& sum) {
  float32x4_t largest = vdupq_n_f32(maximum);
  for (int64_t s = 0; s < n; s += 4) {
    const float32x4_t v = vbslq_f32(first_lanes(n - s), vld1q_f32(scores + s), largest);
    largest = vmaxq_f32(largest, v);
  }
  const float new_maximum = vmaxvq_f32(largest);
  const float32x4_t shift = vdupq_n_f32(new_maximum);
  float32x4_t total = vdupq_n_f32(0);
  for (int64_t s = 0; s < n_padded; s += 4) {
    const uint32x4_t lanes = first_lanes(n - s);
    const uint32x4_t weight = vreinterpretq_u32_f32(exp(vsubq_f32(vld1q_f32(scores + s), shift)));
    const float32x4_t counted = vreinterpretq_f32_u32(vandq_u32(weight, lanes));
    total = vaddq_f32(total, counted);
    vst1q_f32(scores + s, counted);
  }
  const float keep = sum > 0 ? vgetq_lane_f32(exp(vdupq_n_f32(maximum - new_maximum)), 0) : 0.0f;
  sum = sum * keep + vaddvq_f32(total);
  maximum = new_maximum;
  return keep;
}

}  // namespace
}  // namespace plm::kernels::neon
