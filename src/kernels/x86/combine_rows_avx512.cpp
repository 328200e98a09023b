// Rows of a quantised matrix added up. The layout has four columns of a row in a lane; turned within 128
// bits, a lane is four rows of a column, and the dot product instruction adds up rows. The coefficients,
// times the rows' scales, are rounded to 16 bits with one scale for a block of columns of all rows, and go
// in as two planes of 8.
#include "kernels/x86/avx512.h"
#include "kernels/x86/simd_avx512.h"

namespace plm::kernels::avx512 {
namespace {

constexpr int64_t kMaxGroups = kCombineRows / kGroupRows;
constexpr float kLargest = 32512;  // 127 * 256: the high plane stays within a signed byte when rounded

// 4 x 4 bytes of each 128 bits, rows and columns exchanged.
inline __m512i turn_quads(__m512i codes) {
  const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_shuffle_epi8(codes, _mm512_broadcast_i32x4(order));
}

// Adds up the 128-bit parts of each of four vectors: part s of the result is the sum of vector s.
inline __m512i sum_parts(const __m512i* v) {
  const __m512i a =
      _mm512_add_epi32(_mm512_shuffle_i32x4(v[0], v[1], 0x44), _mm512_shuffle_i32x4(v[0], v[1], 0xee));
  const __m512i b =
      _mm512_add_epi32(_mm512_shuffle_i32x4(v[2], v[3], 0x44), _mm512_shuffle_i32x4(v[2], v[3], 0xee));
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

// Coefficients of one block (or half of one, where scales belong to 16 columns) for all rows.
struct Rounded {
  __m512i high[kMaxGroups], low[kMaxGroups];  // 16 rows: lane 4 i + j has rows 4 i .. 4 i + 3
  float scale;
  int32_t sum;    // of the rounded coefficients
  float minimum;  // sum of coefficient times minimum
};

// 16 small numbers to bytes, each four of them in the four lanes of a 128-bit part.
inline __m512i spread(__m512i numbers) {
  const __m512i order = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return _mm512_permutexvar_epi32(order, _mm512_castsi128_si512(_mm512_cvtepi32_epi8(numbers)));
}

inline void round_coefficients(const __m512* products, int64_t n_groups, Rounded& out) {
  __m512 largest = _mm512_setzero_ps();
  for (int64_t g = 0; g < n_groups; ++g) largest = _mm512_max_ps(largest, _mm512_abs_ps(products[g]));
  const float most = _mm512_reduce_max_ps(largest);
  out.scale = most / kLargest;
  const __m512 inverse = _mm512_set1_ps(most > 0 ? kLargest / most : 0.0f);
  __m512i sum = _mm512_setzero_si512();
  for (int64_t g = 0; g < n_groups; ++g) {
    const __m512i value = _mm512_cvtps_epi32(_mm512_mul_ps(products[g], inverse));
    const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(value, _mm512_set1_epi32(128)), 8);
    out.high[g] = spread(high);
    out.low[g] = spread(_mm512_sub_epi32(value, _mm512_slli_epi32(high, 8)));
    sum = _mm512_add_epi32(sum, value);
  }
  out.sum = _mm512_reduce_add_epi32(sum);
}

template <TensorType kType>
void combine_quantised(const CombineRowsArgs& args) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kPerBlock = Scales<kType>::kPerBlock;
  const PackedMatrix& w = *args.weight;
  const int64_t n_groups = w.n_groups(), group_bytes = w.group_bytes();
  __m512 coefficients[kMaxGroups];
  for (int64_t g = 0; g < n_groups; ++g) {
    coefficients[g] = _mm512_maskz_loadu_ps(tail_mask(w.rows - 16 * g), args.coefficient_R + 16 * g);
  }
  for (int64_t column = 0; column < w.cols; column += kBlockCols) {
    const int64_t block = column % kFormat.unit_cols() / kBlockCols;
    const std::byte* unit = w.data + column / kFormat.unit_cols() * kFormat.unit_bytes();
    const std::byte* first = unit + kFormat.header_bytes() + block * kFormat.block_bytes();
    __m512 products[kPerBlock][kMaxGroups];
    __m512 minima[kPerBlock];
    for (int i = 0; i < kPerBlock; ++i) minima[i] = _mm512_setzero_ps();
    for (int64_t g = 0; g < n_groups; ++g) {
      Scales<kType> scales;
      scales.load_unit(unit + g * group_bytes);
      scales.load_block(first + g * group_bytes);
#pragma GCC unroll 2
      for (int i = 0; i < kPerBlock; ++i) {
        products[i][g] = _mm512_mul_ps(coefficients[g], scales.scale[i]);
        if constexpr (kFormat.has_minimum()) {
          minima[i] = _mm512_fmadd_ps(coefficients[g], scales.minimum[i], minima[i]);
        }
      }
    }
    Rounded rounded[kPerBlock];
#pragma GCC unroll 2
    for (int i = 0; i < kPerBlock; ++i) {
      round_coefficients(products[i], n_groups, rounded[i]);
      rounded[i].minimum = kFormat.has_minimum() ? _mm512_reduce_add_ps(minima[i]) : 0.0f;
    }
    __m512i high[8], low[8];
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) high[s] = low[s] = _mm512_setzero_si512();
    for (int64_t g = 0; g < n_groups; ++g) {
      const std::byte* at = first + g * group_bytes;
      for (int64_t line = 0; line < kFormat.block_bytes(); line += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(at + n_groups * group_bytes + line), _MM_HINT_T0);
      }
      __m512i codes[8];
      load_codes<kFormat.codes>(at + kFormat.scale_bytes(), codes);
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s) {
        const Rounded& r = rounded[kPerBlock == 2 ? s / 4 : 0];
        const __m512i turned = turn_quads(codes[s]);
        high[s] = _mm512_dpbusd_epi32(high[s], turned, r.high[g]);
        low[s] = _mm512_dpbusd_epi32(low[s], turned, r.low[g]);
      }
    }
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const Rounded& r = rounded[kPerBlock == 2 ? half : 0];
      const __m512i offset = _mm512_set1_epi32(r.sum * dot_offset(kFormat));
      const __m512i sum =
          _mm512_add_epi32(_mm512_slli_epi32(sum_parts(high + 4 * half), 8), sum_parts(low + 4 * half));
      const __m512 value = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, offset));
      float* y = args.y_K + column + 16 * half;
      __m512 result = _mm512_fmsub_ps(value, _mm512_set1_ps(r.scale), _mm512_set1_ps(r.minimum));
      if (args.add) result = _mm512_add_ps(result, _mm512_loadu_ps(y));
      _mm512_storeu_ps(y, result);
    }
  }
}

template <TensorType kType>
inline __m512 load_plain(const std::byte* group, int64_t k) {
  if constexpr (kType == TensorType::f32) {
    return _mm512_loadu_ps(group + 64 * k);
  } else {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group + 32 * k));
    if constexpr (kType == TensorType::f16) return _mm512_cvtph_ps(bits);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
}

template <TensorType kType>
void combine_plain(const CombineRowsArgs& args) {
  const PackedMatrix& w = *args.weight;
  const int64_t n_groups = w.n_groups(), group_bytes = w.group_bytes();
  for (int64_t k = 0; k < w.cols; ++k) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t g = 0; g < n_groups; ++g) {
      const __m512 coefficient =
          _mm512_maskz_loadu_ps(tail_mask(w.rows - 16 * g), args.coefficient_R + 16 * g);
      sum = _mm512_fmadd_ps(coefficient, load_plain<kType>(w.data + g * group_bytes, k), sum);
    }
    args.y_K[k] = _mm512_reduce_add_ps(sum) + (args.add ? args.y_K[k] : 0.0f);
  }
}

}  // namespace

void combine_rows(const CombineRowsArgs& args) {
  switch (args.weight->type) {
    case TensorType::f32:
      return combine_plain<TensorType::f32>(args);
    case TensorType::f16:
      return combine_plain<TensorType::f16>(args);
    case TensorType::bf16:
      return combine_plain<TensorType::bf16>(args);
    default:
      with_quantised_type(args.weight->type, [&]<TensorType kType>() { combine_quantised<kType>(args); });
  }
}

}  // namespace plm::kernels::avx512
