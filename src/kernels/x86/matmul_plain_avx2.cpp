// Products with F32, F16 and BF16 weights in float32. Two registers hold one column of 16 rows; the
// tile is 16 rows x up to 6 tokens: 12 sums. A single token uses four pairs of sums, or each addition
// would wait for the one before; up to kFineTokens of them are multiplied one by one for the same bits.
// Of more tokens every one has a single sum, the last ones too: whoever else is in the step, it gets its
// bits.
#include "kernels/x86/avx2.h"
#include "kernels/x86/simd_avx2.h"

namespace plm::kernels::avx2 {
namespace {

struct Column {
  __m256 half[2];
};

template <TensorType kType>
inline Column load_column(const std::byte* group, int64_t k) {
  if constexpr (kType == TensorType::f32) {
    const float* at = reinterpret_cast<const float*>(group) + 16 * k;
    return {{_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)}};
  } else if constexpr (kType == TensorType::f16) {
    return {{load_halves(group + 32 * k), load_halves(group + 32 * k + 16)}};
  } else {
    return {{load_bf16(group + 32 * k), load_bf16(group + 32 * k + 16)}};
  }
}

inline void multiply_add(const Column& column, float x, Column& sum) {
  const __m256 factor = _mm256_set1_ps(x);
  sum.half[0] = _mm256_fmadd_ps(column.half[0], factor, sum.half[0]);
  sum.half[1] = _mm256_fmadd_ps(column.half[1], factor, sum.half[1]);
}

inline void store(const MatmulArgs& args, int64_t group, int64_t i, const Column& column) {
  for (int half = 0; half < 2; ++half) {
    const int64_t row = group * kGroupRows + 8 * half;
    if (row >= args.weight->rows) break;
    const __m256i mask = tail_mask(args.weight->rows - row);
    float* y = args.y + i * args.y_stride + row;
    __m256 sum = column.half[half];
    if (args.add) sum = _mm256_add_ps(sum, _mm256_maskload_ps(y, mask));
    _mm256_maskstore_ps(y, mask, sum);
  }
}

inline Column zero_column() { return {{_mm256_setzero_ps(), _mm256_setzero_ps()}}; }

template <TensorType kType>
void one_token(const MatmulArgs& args, int64_t group, int64_t i) {
  const std::byte* w = args.weight->group(group);
  const float* x = args.x->values + (args.first_token + i * args.token_stride) * args.x->value_stride;
  Column sums[4] = {zero_column(), zero_column(), zero_column(), zero_column()};
  const int64_t cols = args.weight->cols;
  int64_t k = 0;
  for (; k + 4 <= cols; k += 4) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) multiply_add(load_column<kType>(w, k + j), x[k + j], sums[j]);
  }
  for (; k < cols; ++k) multiply_add(load_column<kType>(w, k), x[k], sums[0]);
  Column total;
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    total.half[half] = _mm256_add_ps(_mm256_add_ps(sums[0].half[half], sums[1].half[half]),
                                     _mm256_add_ps(sums[2].half[half], sums[3].half[half]));
  }
  store(args, group, i, total);
}

template <TensorType kType, int kTokens>
void tokens(const MatmulArgs& args, int64_t group, int64_t i) {
  const std::byte* w = args.weight->group(group);
  const float* x = args.x->values + (args.first_token + i * args.token_stride) * args.x->value_stride;
  const int64_t stride = args.token_stride * args.x->value_stride;
  Column sums[kTokens];
#pragma GCC unroll 6
  for (int t = 0; t < kTokens; ++t) sums[t] = zero_column();
  for (int64_t k = 0; k < args.weight->cols; ++k) {
    const Column column = load_column<kType>(w, k);
#pragma GCC unroll 6
    for (int t = 0; t < kTokens; ++t) multiply_add(column, x[t * stride + k], sums[t]);
  }
#pragma GCC unroll 6
  for (int t = 0; t < kTokens; ++t) store(args, group, i + t, sums[t]);
}

template <TensorType kType>
void all_tiles(const MatmulArgs& args) {
  const int64_t fitting = (int64_t{32} << 10) / (args.weight->cols + 1);
  const int64_t stretch = fitting < 24 ? 24 : fitting / 6 * 6;
  const bool is_many = args.n_tokens > kFineTokens;
  for (int64_t begin = 0; begin < args.n_tokens; begin += stretch) {
    const int64_t end = begin + stretch < args.n_tokens ? begin + stretch : args.n_tokens;
    for (int64_t group = args.group_begin; group < args.group_end; ++group) {
      int64_t i = begin;
      for (; is_many && i + 6 <= end; i += 6) tokens<kType, 6>(args, group, i);
      for (; is_many && i + 3 <= end; i += 3) tokens<kType, 3>(args, group, i);
      for (; is_many && i < end; ++i) tokens<kType, 1>(args, group, i);
      for (; i < end; ++i) one_token<kType>(args, group, i);
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

}  // namespace plm::kernels::avx2
