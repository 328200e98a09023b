// Quantised matrix products on Arm, one text for plain NEON and for the dot product instructions; a
// Product says how four rows are multiplied:
//   template <CodeKind kKind, Plane kPlane, int kSteps>
//   int32x4_t onto(int32x4_t start, const int8x16_t* codes, const int8x16_t* x)
// adds the dot products of 4 rows with 4 kSteps columns: codes[s] is one step, x[] has 16 columns each.
//
// A tile is kQuads x 4 rows by kTokens tokens: kQuads kTokens float sums, 8 registers of codes of the
// quad at hand, two to four of the token at hand. The offset of the codes is folded into the start value:
// sum (code - offset) q = sum code q - offset sum q. Internal linkage: see simd_neon.h.
#pragma once

#include "kernels/arm/neon.h"
#include "kernels/arm/packed_codes.h"

namespace plm::kernels::neon {
namespace {

enum class Plane { high, low };

// Dot products of one quad with kSteps steps of a token, from the start value on.
template <class Product, CodeKind kKind, Precision kPrecision, int kSteps>
[[gnu::always_inline]] inline int32x4_t dot(const int8x16_t* codes, const int8_t* high, const int8_t* low,
                                            int32_t start) {
  constexpr int kLoads = kSteps / 4;
  int8x16_t x[kLoads];
#pragma GCC unroll 2
  for (int i = 0; i < kLoads; ++i) x[i] = vld1q_s8(high + 16 * i);
  if constexpr (kPrecision == Precision::coarse) {
    return Product::template onto<kKind, Plane::high, kSteps>(vdupq_n_s32(start), codes, x);
  } else {
    int32x4_t sum = Product::template onto<kKind, Plane::high, kSteps>(vdupq_n_s32(0), codes, x);
    sum = vaddq_s32(vdupq_n_s32(start), vshlq_n_s32(sum, 8));
#pragma GCC unroll 2
    for (int i = 0; i < kLoads; ++i) x[i] = vld1q_s8(low + 16 * i);
    return Product::template onto<kKind, Plane::low, kSteps>(sum, codes, x);
  }
}

// One block of one quad times one token.
template <class Product, TensorType kType, Precision kPrecision, int kQuads>
[[gnu::always_inline]] inline float32x4_t add_block(float32x4_t sum, const Scales<kType, kQuads>& scales,
                                                    int q, const int8x16_t (&codes)[8], const Activations& x,
                                                    int64_t i) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kPerBlock = Scales<kType, kQuads>::kPerBlock;
  constexpr int kSteps = 8 / kPerBlock;
  constexpr int kOffset = dot_offset(kFormat);
  const float x_scale = x.scale[i];
#pragma GCC unroll 2
  for (int half = 0; half < kPerBlock; ++half) {
    const int32_t x_sum =
        kPerBlock == 2 ? x.half_sum[2 * i + half] : x.half_sum[2 * i] + x.half_sum[2 * i + 1];
    const int64_t at = 32 * i + 16 * half;
    const int32x4_t product = dot<Product, kFormat.codes, kPrecision, kSteps>(codes + 4 * half, x.high + at,
                                                                              x.low + at, -kOffset * x_sum);
    sum = vfmaq_f32(sum, vcvtq_f32_s32(product), vmulq_n_f32(scales.scale[half][q], x_scale));
    if constexpr (kFormat.has_minimum()) {
      const float32x4_t factor = vdupq_n_f32(x_scale * static_cast<float>(x_sum));
      sum = vfmsq_f32(sum, scales.minimum[half][q], factor);
    }
  }
  return sum;
}

template <class Product, TensorType kType, Precision kPrecision, int kQuads, int kTokens>
void tile_to_memory(const MatmulArgs& args, int64_t group, int first_quad, int64_t first) {
  constexpr PackedFormat kFormat = packed_format(kType);
  const Activations& x = *args.x;
  float32x4_t sums[kQuads][kTokens];
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) {
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) sums[q][t] = vdupq_n_f32(0);
  }
  const std::byte* p = args.weight->group(group);
  const int64_t n_units = x.n_blocks() / kFormat.blocks_per_unit();
  int64_t at = args.first_token + first * args.token_stride;  // of block and token, order [block][token]
  Scales<kType, kQuads> scales(first_quad);
  for (int64_t u = 0; u < n_units; ++u) {
    scales.load_unit(p);
    p += kFormat.header_bytes();
    for (int64_t b = 0; b < kFormat.blocks_per_unit(); ++b, p += kFormat.block_bytes(), at += x.pitch) {
      scales.load_block(p);
#pragma GCC unroll 4
      for (int q = 0; q < kQuads; ++q) {
        int8x16_t codes[8];
        load_codes<kFormat.codes>(p + kFormat.scale_bytes() + 16 * (first_quad + q), codes);
#pragma GCC unroll 8
        for (int t = 0; t < kTokens; ++t) {
          sums[q][t] = add_block<Product, kType, kPrecision, kQuads>(sums[q][t], scales, q, codes, x,
                                                                     at + t * args.token_stride);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) {
    const int64_t row = group * kGroupRows + 4 * (first_quad + q), n = args.weight->rows - row;
    if (n <= 0) break;
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      float* y = args.y + (first + t) * args.y_stride + row;
      store_first(y, n, args.add ? vaddq_f32(sums[q][t], load_first(y, n)) : sums[q][t]);
    }
  }
}

// Tokens in stretches whose input stays in the second-level cache while all groups pass over it. Eight
// tokens leave room for the sums of half a group, whose weights then come from the first-level cache.
template <class Product, TensorType kType, Precision kPrecision>
void all_tiles(const MatmulArgs& args) {
  const int64_t fitting = (int64_t{256} << 10) / (args.weight->cols + 1);
  const int64_t stretch = fitting < 32 ? 32 : fitting / 8 * 8;
  for (int64_t begin = 0; begin < args.n_tokens; begin += stretch) {
    const int64_t end = begin + stretch < args.n_tokens ? begin + stretch : args.n_tokens;
    for (int64_t group = args.group_begin; group < args.group_end; ++group) {
      int64_t i = begin;
      if constexpr (kPrecision == Precision::coarse) {
        for (; i + 8 <= end; i += 8) {
          tile_to_memory<Product, kType, kPrecision, 2, 8>(args, group, 0, i);
          tile_to_memory<Product, kType, kPrecision, 2, 8>(args, group, 2, i);
        }
      }
      for (; i + 4 <= end; i += 4) tile_to_memory<Product, kType, kPrecision, 4, 4>(args, group, 0, i);
      for (; i < end; ++i) tile_to_memory<Product, kType, kPrecision, 4, 1>(args, group, 0, i);
    }
  }
}

template <class Product>
inline void matmul_with(const MatmulArgs& args) {
  const bool quantised = with_quantised_type(args.weight->type, [&]<TensorType kType>() {
    if (args.x->precision == Precision::fine) {
      all_tiles<Product, kType, Precision::fine>(args);
    } else {
      all_tiles<Product, kType, Precision::coarse>(args);
    }
  });
  if (!quantised) matmul_plain(args);
}

}  // namespace
}  // namespace plm::kernels::neon
