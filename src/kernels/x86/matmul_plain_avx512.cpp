// Products with F32, F16 and BF16 weights in float32. One register holds one column of 16 rows; the
// tile is 16 rows x up to 12 tokens. A single token uses four sums, or each addition would wait for
// the one before; up to kFineTokens of them use the same four, so that each gets the bits it would get alone.
// Of more tokens every one has a single sum, the last ones too: whoever else is in the step, it gets its
// bits.
#include "kernels/x86/avx512.h"
#include "kernels/x86/simd_avx512.h"

namespace plm::kernels::avx512 {
namespace {

template <TensorType kType>
inline __m512 load_column(const std::byte* group, int64_t k) {
  if constexpr (kType == TensorType::f32) {
    return _mm512_loadu_ps(reinterpret_cast<const float*>(group) + 16 * k);
  } else if constexpr (kType == TensorType::f16) {
    return load_halves(group + 32 * k);
  } else {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group + 32 * k));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
}

inline void store(const MatmulArgs& args, int64_t group, int64_t i, __m512 sum) {
  const int64_t row = group * kGroupRows;
  const __mmask16 mask = tail_mask(args.weight->rows - row);
  float* y = args.y + i * args.y_stride + row;
  if (args.add) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, y));
  _mm512_mask_storeu_ps(y, mask, sum);
}

// Each token with four sums, those of columns that leave the same rest.
template <TensorType kType, int kTokens>
void few_tokens(const MatmulArgs& args, int64_t group, int64_t i) {
  const std::byte* w = args.weight->group(group);
  const float* x = args.x->values + (args.first_token + i * args.token_stride) * args.x->value_stride;
  const int64_t stride = args.token_stride * args.x->value_stride;
  __m512 sums[kTokens][4];
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sums[t][j] = _mm512_setzero_ps();
  }
  const int64_t cols = args.weight->cols;
  int64_t k = 0;
  for (; k + 4 <= cols; k += 4) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const __m512 column = load_column<kType>(w, k + j);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        sums[t][j] = _mm512_fmadd_ps(column, _mm512_set1_ps(x[t * stride + k + j]), sums[t][j]);
      }
    }
  }
  for (; k < cols; ++k) {
    const __m512 column = load_column<kType>(w, k);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      sums[t][0] = _mm512_fmadd_ps(column, _mm512_set1_ps(x[t * stride + k]), sums[t][0]);
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t) {
    store(args, group, i + t,
          _mm512_add_ps(_mm512_add_ps(sums[t][0], sums[t][1]), _mm512_add_ps(sums[t][2], sums[t][3])));
  }
}

template <TensorType kType, int kTokens>
void tokens(const MatmulArgs& args, int64_t group, int64_t i) {
  const std::byte* w = args.weight->group(group);
  const float* x = args.x->values + (args.first_token + i * args.token_stride) * args.x->value_stride;
  const int64_t stride = args.token_stride * args.x->value_stride;
  __m512 sums[kTokens];
#pragma GCC unroll 12
  for (int t = 0; t < kTokens; ++t) sums[t] = _mm512_setzero_ps();
  for (int64_t k = 0; k < args.weight->cols; ++k) {
    const __m512 column = load_column<kType>(w, k);
#pragma GCC unroll 12
    for (int t = 0; t < kTokens; ++t) {
      sums[t] = _mm512_fmadd_ps(column, _mm512_set1_ps(x[t * stride + k]), sums[t]);
    }
  }
#pragma GCC unroll 12
  for (int t = 0; t < kTokens; ++t) store(args, group, i + t, sums[t]);
}

template <TensorType kType>
void all_tiles(const MatmulArgs& args) {
  const int64_t fitting = (int64_t{96} << 10) / (args.weight->cols + 1);
  const int64_t stretch = fitting < 24 ? 24 : fitting / 12 * 12;
  const bool is_many = args.n_tokens > kFineTokens;
  for (int64_t begin = 0; begin < args.n_tokens; begin += stretch) {
    const int64_t end = begin + stretch < args.n_tokens ? begin + stretch : args.n_tokens;
    for (int64_t group = args.group_begin; group < args.group_end; ++group) {
      int64_t i = begin;
      if (is_many) {
        for (; i + 12 <= end; i += 12) tokens<kType, 12>(args, group, i);
        for (; i + 4 <= end; i += 4) tokens<kType, 4>(args, group, i);
        if (i + 2 <= end) {
          tokens<kType, 2>(args, group, i);
          i += 2;
        }
        if (i < end) tokens<kType, 1>(args, group, i);
        continue;
      }
      for (; i + 4 <= end; i += 4) few_tokens<kType, 4>(args, group, i);
      if (i + 2 <= end) {
        few_tokens<kType, 2>(args, group, i);
        i += 2;
      }
      if (i < end) few_tokens<kType, 1>(args, group, i);
    }
  }
}

}  // namespace

void matmul_plain(const MatmulArgs& args) {
  switch (args.weight->type) {
    case TensorType::f32:
      return all_tiles<TensorType::f32>(args);
    case TensorType::f16:
      return all_tiles<TensorType::f16>(args);
    default:
      return all_tiles<TensorType::bf16>(args);
  }
}

}  // namespace plm::kernels::avx512
