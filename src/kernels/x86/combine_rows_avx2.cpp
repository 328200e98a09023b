// Rows of a matrix added up in float32: a register holds four columns of two rows.
#include "kernels/x86/avx2.h"
#include "kernels/x86/simd_avx2.h"

namespace plm::kernels::avx2 {
namespace {

// Coefficients of 8 rows times their scales: pair p has row 2 p four times, then row 2 p + 1.
inline void spread(__m256 products, __m256 (&pairs)[4]) {
#pragma GCC unroll 4
  for (int p = 0; p < 4; ++p) {
    const __m256i order =
        _mm256_setr_epi32(2 * p, 2 * p, 2 * p, 2 * p, 2 * p + 1, 2 * p + 1, 2 * p + 1, 2 * p + 1);
    pairs[p] = _mm256_permutevar8x32_ps(products, order);
  }
}

// sum += coefficients times the codes of one step, 8 rows x 4 columns.
inline __m256 add_step(__m256 sum, __m256i codes, const __m256 (&pairs)[4]) {
  const __m128i parts[2] = {_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1)};
#pragma GCC unroll 4
  for (int p = 0; p < 4; ++p) {
    const __m128i bytes = p % 2 == 0 ? parts[p / 2] : _mm_unpackhi_epi64(parts[p / 2], parts[p / 2]);
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)), pairs[p], sum);
  }
  return sum;
}

template <TensorType kType>
void combine_quantised(const CombineRowsArgs& args) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kPerBlock = Scales<kType>::kPerBlock;
  const PackedMatrix& w = *args.weight;
  const int64_t n_groups = w.n_groups(), group_bytes = w.group_bytes();
  for (int64_t column = 0; column < w.cols; column += kBlockCols) {
    const int64_t block = column % kFormat.unit_cols() / kBlockCols;
    const std::byte* unit = w.data + column / kFormat.unit_cols() * kFormat.unit_bytes();
    const std::byte* first = unit + kFormat.header_bytes() + block * kFormat.block_bytes();
    __m256 sums[8];
    for (__m256& sum : sums) sum = _mm256_setzero_ps();
    __m256 base[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};  // what offsets and minima take off
    for (int64_t g = 0; g < n_groups; ++g) {
      for (int half = 0; half < 2 && 16 * g + 8 * half < w.rows; ++half) {
        const int64_t row = 16 * g + 8 * half;
        const __m256 coefficients = _mm256_maskload_ps(args.coefficient_R + row, tail_mask(w.rows - row));
        Scales<kType> scales;
        scales.load_unit(unit + g * group_bytes, half);
        scales.load_block(first + g * group_bytes, half);
        __m256i codes[8];
        load_codes<kFormat.codes>(first + g * group_bytes + kFormat.scale_bytes() + 32 * half, codes);
#pragma GCC unroll 2
        for (int i = 0; i < kPerBlock; ++i) {
          const __m256 products = _mm256_mul_ps(coefficients, scales.scale[i]);
          base[i] = _mm256_fmadd_ps(products, _mm256_set1_ps(dot_offset(kFormat)), base[i]);
          if constexpr (kFormat.has_minimum())
            base[i] = _mm256_fmadd_ps(coefficients, scales.minimum[i], base[i]);
          __m256 pairs[4];
          spread(products, pairs);
          constexpr int kSteps = 8 / kPerBlock;
#pragma GCC unroll 8
          for (int s = i * kSteps; s < (i + 1) * kSteps; ++s) sums[s] = add_step(sums[s], codes[s], pairs);
        }
      }
    }
    for (int s = 0; s < 8; ++s) {
      const __m128 offset = _mm_set1_ps(sum_of_lanes(base[kPerBlock == 2 ? s / 4 : 0]));
      float* y = args.y_K + column + 4 * s;
      __m128 value = _mm_add_ps(_mm256_castps256_ps128(sums[s]), _mm256_extractf128_ps(sums[s], 1));
      value = _mm_sub_ps(value, offset);
      if (args.add) value = _mm_add_ps(value, _mm_loadu_ps(y));
      _mm_storeu_ps(y, value);
    }
  }
}

template <TensorType kType>
inline __m256 load_plain(const std::byte* group, int64_t k, int half) {
  if constexpr (kType == TensorType::f32) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(group) + 16 * k + 8 * half);
  } else if constexpr (kType == TensorType::f16) {
    return load_halves(group + 32 * k + 16 * half);
  } else {
    return load_bf16(group + 32 * k + 16 * half);
  }
}

template <TensorType kType>
void combine_plain(const CombineRowsArgs& args) {
  const PackedMatrix& w = *args.weight;
  for (int64_t k = 0; k < w.cols; ++k) {
    __m256 sum = _mm256_setzero_ps();
    for (int64_t row = 0; row < w.rows; row += 8) {
      const __m256 coefficients = _mm256_maskload_ps(args.coefficient_R + row, tail_mask(w.rows - row));
      const std::byte* group = w.data + row / kGroupRows * w.group_bytes();
      sum = _mm256_fmadd_ps(coefficients, load_plain<kType>(group, k, static_cast<int>(row / 8 % 2)), sum);
    }
    args.y_K[k] = sum_of_lanes(sum) + (args.add ? args.y_K[k] : 0.0f);
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

}  // namespace plm::kernels::avx2
