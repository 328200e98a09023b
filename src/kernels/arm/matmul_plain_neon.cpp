// Products with F32, F16 and BF16 weights in float32. One column of 16 rows is four registers; the tile
// is 16 rows x 4 tokens. A single token keeps the sums of four columns apart, or each addition would
// wait for the one before; up to kFineTokens of them are multiplied one by one for the same bits.
// Of more tokens every one has a single sum, the last ones too: whoever else is in the step, it gets its
// bits.
#include "kernels/arm/neon.h"
#include "kernels/arm/simd_neon.h"

namespace plm::kernels::neon {
namespace {

template <TensorType kType>
inline const std::byte* column(const std::byte* group, int64_t k) {
  return group + k * kGroupRows * (kType == TensorType::f32 ? 4 : 2);
}

template <TensorType kType>
[[gnu::always_inline]] inline void load_column(const std::byte* at, float32x4_t (&rows)[4]) {
  constexpr int64_t kQuadBytes = kType == TensorType::f32 ? 16 : 8;
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) rows[q] = load_numbers<kType>(at + q * kQuadBytes);
}

inline void store(const MatmulArgs& args, int64_t group, int64_t i, const float32x4_t (&sums)[4]) {
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    const int64_t row = group * kGroupRows + 4 * q, n = args.weight->rows - row;
    if (n <= 0) break;
    float* y = args.y + i * args.y_stride + row;
    store_first(y, n, args.add ? vaddq_f32(sums[q], load_first(y, n)) : sums[q]);
  }
}

template <TensorType kType>
void one_token(const MatmulArgs& args, int64_t group, int64_t i) {
  const std::byte* w = args.weight->group(group);
  const float* x = args.x->values + (args.first_token + i * args.token_stride) * args.x->value_stride;
  float32x4_t sums[4][4];  // [column mod 4][quad]
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) sums[j][q] = vdupq_n_f32(0);
  }
  int64_t k = 0;
  for (; k + 4 <= args.weight->cols; k += 4) {
    const float32x4_t four = vld1q_f32(x + k);
    unrolled<4>([&]<int j>() __attribute__((always_inline)) {
      float32x4_t rows[4];
      load_column<kType>(column<kType>(w, k + j), rows);
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) sums[j][q] = vfmaq_laneq_f32(sums[j][q], rows[q], four, j);
    });
  }
  for (; k < args.weight->cols; ++k) {
    float32x4_t rows[4];
    load_column<kType>(column<kType>(w, k), rows);
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) sums[0][q] = vfmaq_n_f32(sums[0][q], rows[q], x[k]);
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    sums[0][q] = vaddq_f32(vaddq_f32(sums[0][q], sums[1][q]), vaddq_f32(sums[2][q], sums[3][q]));
  }
  store(args, group, i, sums[0]);
}

template <TensorType kType, int kTokens>
void tokens(const MatmulArgs& args, int64_t group, int64_t i) {
  const std::byte* w = args.weight->group(group);
  const int64_t stride = args.token_stride * args.x->value_stride;
  const float* x = args.x->values + args.first_token * args.x->value_stride + i * stride;
  float32x4_t sums[kTokens][4];  // [token][quad]
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) sums[t][q] = vdupq_n_f32(0);
  }
  int64_t k = 0;
  for (; k + 4 <= args.weight->cols; k += 4) {
    float32x4_t four[kTokens];
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) four[t] = vld1q_f32(x + t * stride + k);
    unrolled<4>([&]<int j>() __attribute__((always_inline)) {
      float32x4_t rows[4];
      load_column<kType>(column<kType>(w, k + j), rows);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) sums[t][q] = vfmaq_laneq_f32(sums[t][q], rows[q], four[t], j);
      }
    });
  }
  for (; k < args.weight->cols; ++k) {
    float32x4_t rows[4];
    load_column<kType>(column<kType>(w, k), rows);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) sums[t][q] = vfmaq_n_f32(sums[t][q], rows[q], x[t * stride + k]);
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t) store(args, group, i + t, sums[t]);
}

template <TensorType kType>
void all_tiles(const MatmulArgs& args) {
  const int64_t fitting = (int64_t{64} << 10) / (args.weight->cols + 1);
  const int64_t stretch = fitting < 16 ? 16 : fitting / 4 * 4;
  const bool is_many = args.n_tokens > kFineTokens;
  for (int64_t begin = 0; begin < args.n_tokens; begin += stretch) {
    const int64_t end = begin + stretch < args.n_tokens ? begin + stretch : args.n_tokens;
    for (int64_t group = args.group_begin; group < args.group_end; ++group) {
      int64_t i = begin;
      for (; is_many && i + 4 <= end; i += 4) tokens<kType, 4>(args, group, i);
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

}  // namespace plm::kernels::neon
