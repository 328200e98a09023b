// Quantised matrix products with VNNI (vpdpbusd).
//
// One register holds four columns of 16 rows as unsigned codes; the input's four numbers are broadcast.
// Narrow tile: 16 rows x kTokens tokens, kTokens float sums, 8 registers of codes, and per token and
// block 8 (coarse) or 16 (fine) dot instructions between two scalings. The offset of the codes is folded
// into the start value: sum (code - offset) q = sum code q - offset sum q.
// Wide tile (prefill): 32 rows x 6 tokens, 12 integer and 12 float sums; a broadcast serves two dot
// instructions, so that these and not the loads are the limit. Multiplications share their two pipes, so
// the start values come from memory; only minima are taken off in float.
#include "kernels/x86/avx512.h"
#include "kernels/x86/simd_avx512.h"

namespace plm::kernels::avx512 {
namespace {

inline __m512i broadcast_four(const int8_t* at) {
  return _mm512_set1_epi32(*reinterpret_cast<const int32_t*>(at));
}

// Decode waits for memory. The hardware prefetcher alone keeps too few lines on their way while a block is
// multiplied (docs/LOG.md): ask for what comes this much later.
constexpr int64_t kPrefetchBytes = 4096;

// Dot products of half a block (16 columns, steps first .. first + 3) with one token.
inline __m512i dot_half(const __m512i* codes, const int8_t* x, __m512i start) {
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) start = _mm512_dpbusd_epi32(start, codes[s], broadcast_four(x + 4 * s));
  return start;
}

template <TensorType kType, Precision kPrecision, int kTokens>
inline void tile(const std::byte* group, const Activations& x, int64_t first_token, int64_t token_stride,
                 __m512 (&sums)[kTokens]) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kOffset = dot_offset(kFormat);
  const int64_t n_units = x.n_blocks() / kFormat.blocks_per_unit();
  int64_t at = first_token;  // of block and token, in the order [block][token]
  const std::byte* p = group;
  Scales<kType> scales;
  for (int64_t u = 0; u < n_units; ++u) {
    scales.load_unit(p);
    p += kFormat.header_bytes();
    for (int64_t b = 0; b < kFormat.blocks_per_unit(); ++b, p += kFormat.block_bytes(), at += x.pitch) {
      if constexpr (kPrecision == Precision::fine) {
        for (int64_t line = 0; line < kFormat.block_bytes(); line += 64) {
          _mm_prefetch(reinterpret_cast<const char*>(p + kPrefetchBytes + line), _MM_HINT_T0);
        }
      }
      scales.load_block(p);
      __m512i codes[8];
      load_codes<kFormat.codes>(p + kFormat.scale_bytes(), codes);
#pragma GCC unroll 16
      for (int t = 0; t < kTokens; ++t) {
        const int64_t i = at + t * token_stride;
        const int32_t sum0 = x.half_sum[2 * i], sum1 = x.half_sum[2 * i + 1];
        __m512i dot0, dot1;
        if constexpr (kFormat.scale_per_16()) {
          dot0 = _mm512_set1_epi32(-kOffset * sum0);
          dot1 = _mm512_set1_epi32(-kOffset * sum1);
        } else {
          dot0 = kOffset == 0 ? _mm512_setzero_si512() : _mm512_set1_epi32(-kOffset * (sum0 + sum1));
          dot1 = _mm512_setzero_si512();
        }
        if constexpr (kPrecision == Precision::fine) {
          const __m512i zero = _mm512_setzero_si512();
          const __m512i high0 = dot_half(codes, x.high + 32 * i, zero);
          const __m512i high1 = dot_half(codes + 4, x.high + 32 * i + 16, zero);
          dot0 = _mm512_add_epi32(dot_half(codes, x.low + 32 * i, dot0), _mm512_slli_epi32(high0, 8));
          dot1 =
              _mm512_add_epi32(dot_half(codes + 4, x.low + 32 * i + 16, dot1), _mm512_slli_epi32(high1, 8));
        } else {
          dot0 = dot_half(codes, x.high + 32 * i, dot0);
          dot1 = dot_half(codes + 4, x.high + 32 * i + 16, dot1);
        }
        const __m512 x_scale = _mm512_set1_ps(x.scale[i]);
        // In the order of the wide tile, for the same bits.
        const __m512i dots[2] = {dot0, dot1};
        const int32_t part_sums[2] = {sum0, sum1};
        if constexpr (kFormat.scale_per_16()) {
#pragma GCC unroll 2
          for (int part = 0; part < 2; ++part) {
            sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[part]),
                                      _mm512_mul_ps(scales.scale[part], x_scale), sums[t]);
            if constexpr (kFormat.has_minimum()) {
              const __m512 x_sum = _mm512_set1_ps(x.scale[i] * static_cast<float>(part_sums[part]));
              sums[t] = _mm512_fnmadd_ps(scales.minimum[part], x_sum, sums[t]);
            }
          }
        } else {
          sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(dot0, dot1)),
                                    _mm512_mul_ps(scales.scale[0], x_scale), sums[t]);
          if constexpr (kFormat.has_minimum()) {
            const __m512 x_sum = _mm512_set1_ps(x.scale[i] * static_cast<float>(sum0 + sum1));
            sums[t] = _mm512_fnmadd_ps(scales.minimum[0], x_sum, sums[t]);
          }
        }
      }
    }
  }
}

template <TensorType kType, Precision kPrecision, int kTokens>
void tile_to_memory(const MatmulArgs& args, int64_t group, int64_t i) {
  __m512 sums[kTokens];
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; ++t) sums[t] = _mm512_setzero_ps();
  tile<kType, kPrecision, kTokens>(args.weight->group(group), *args.x,
                                   args.first_token + i * args.token_stride, args.token_stride, sums);
  const int64_t row = group * kGroupRows;
  const __mmask16 mask = tail_mask(args.weight->rows - row);
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; ++t) {
    float* y = args.y + (i + t) * args.y_stride + row;
    if (args.add) sums[t] = _mm512_add_ps(sums[t], _mm512_maskz_loadu_ps(mask, y));
    _mm512_mask_storeu_ps(y, mask, sums[t]);
  }
}

// The codes of one step (four columns) of a block.
template <CodeKind kKind>
inline __m512i load_step(const std::byte* at, int step) {
  if constexpr (kKind == CodeKind::bytes) return load(at + 64 * step);
  const __m512i pair = load(at + 64 * (step & 3));
  __m512i code = _mm512_and_si512(step < 4 ? pair : _mm512_srli_epi16(pair, 4), _mm512_set1_epi8(15));
  if constexpr (kKind == CodeKind::nibble_table) code = _mm512_shuffle_epi8(iq4_table(), code);
  if constexpr (kKind == CodeKind::nibbles_high1) {
    const __m512i high = load(at + 256);
    const __m512i shifted = step < 4 ? _mm512_slli_epi16(high, 4 - step) : _mm512_srli_epi16(high, step - 4);
    code = _mm512_or_si512(code, _mm512_and_si512(shifted, _mm512_set1_epi8(16)));
  }
  if constexpr (kKind == CodeKind::nibbles_high2) {
    const __m512i high = load(at + 256 + 64 * (step & 1));
    const int shift = (step & ~1) - 4;
    const __m512i shifted = shift < 0 ? _mm512_slli_epi16(high, -shift) : _mm512_srli_epi16(high, shift);
    code = _mm512_or_si512(code, _mm512_and_si512(shifted, _mm512_set1_epi8(48)));
  }
  return code;
}

// Tokens of a wide tile. Coarse: six, so that sums, dot products and codes fill the registers. Fine: two
// planes take twice the dot products; three at the end of a step of few are one tile too.
constexpr int kWideTokens = 6;
constexpr int kFineWideTokens = 4;

// The scaled dot products of steps [kFirst, kFirst + kSteps) of one block in both groups.
template <TensorType kType, Precision kPrecision, int kTokens, int kFirst, int kSteps>
inline void wide_part(const std::byte* const (&codes)[2], const Scales<kType> (&scales)[2], int part,
                      const Activations& x, int64_t at, __m512 (&sums)[kTokens][2]) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kOffset = dot_offset(kFormat);
  constexpr bool kFine = kPrecision == Precision::fine;
  __m512i dots[kTokens][2];
  __m512i low_dots[kTokens][2];
#pragma GCC unroll 6
  for (int t = 0; t < kTokens; ++t) {
    __m512i start = _mm512_setzero_si512();
    if constexpr (kOffset != 0 && kFormat.scale_per_16()) {
      start = _mm512_set1_epi32(-kOffset * x.half_sum[2 * (at + t) + part]);
    } else if constexpr (kOffset != 0) {
      static_assert(kOffset == 8 || kOffset == 16 || kOffset == 128);
      start = _mm512_set1_epi32(x.block_sum8[at + t]);
      if constexpr (kOffset == 16) start = _mm512_slli_epi32(start, 1);
      if constexpr (kOffset == 128) start = _mm512_slli_epi32(start, 4);
    }
    if constexpr (kFine) {
      low_dots[t][0] = low_dots[t][1] = start;
      start = _mm512_setzero_si512();
    }
    dots[t][0] = dots[t][1] = start;
  }
#pragma GCC unroll 8
  for (int s = kFirst; s < kFirst + kSteps; ++s) {
    const __m512i code0 = load_step<kFormat.codes>(codes[0], s),
                  code1 = load_step<kFormat.codes>(codes[1], s);
#pragma GCC unroll 6
    for (int t = 0; t < kTokens; ++t) {
      const __m512i four = broadcast_four(x.high + 32 * (at + t) + 4 * s);
      dots[t][0] = _mm512_dpbusd_epi32(dots[t][0], code0, four);
      dots[t][1] = _mm512_dpbusd_epi32(dots[t][1], code1, four);
      if constexpr (kFine) {
        const __m512i low_four = broadcast_four(x.low + 32 * (at + t) + 4 * s);
        low_dots[t][0] = _mm512_dpbusd_epi32(low_dots[t][0], code0, low_four);
        low_dots[t][1] = _mm512_dpbusd_epi32(low_dots[t][1], code1, low_four);
      }
    }
  }
#pragma GCC unroll 6
  for (int t = 0; t < kTokens; ++t) {
    const __m512 x_scale = _mm512_set1_ps(x.scale[at + t]);
#pragma GCC unroll 2
    for (int g = 0; g < 2; ++g) {
      if constexpr (kFine) {
        dots[t][g] = _mm512_add_epi32(low_dots[t][g], _mm512_slli_epi32(dots[t][g], 8));
      }
      sums[t][g] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[t][g]),
                                   _mm512_mul_ps(scales[g].scale[part], x_scale), sums[t][g]);
      if constexpr (kFormat.has_minimum()) {
        const float x_sum =
            kFormat.scale_per_16() ? x.scaled_half_sum[2 * (at + t) + part] : x.scaled_sum[at + t];
        sums[t][g] = _mm512_fnmadd_ps(scales[g].minimum[part], _mm512_set1_ps(x_sum), sums[t][g]);
      }
    }
  }
}

// Groups `group` and `group + 1`, kTokens tokens of the call from i on, which follow each other in x.
template <TensorType kType, Precision kPrecision, int kTokens>
void wide_tile(const MatmulArgs& args, int64_t group, int64_t i) {
  constexpr PackedFormat kFormat = packed_format(kType);
  const Activations& x = *args.x;
  const int64_t group_bytes = args.weight->group_bytes();
  __m512 sums[kTokens][2];
#pragma GCC unroll 6
  for (int t = 0; t < kTokens; ++t) sums[t][0] = sums[t][1] = _mm512_setzero_ps();
  const std::byte* p = args.weight->group(group);
  Scales<kType> scales[2];
  int64_t at = args.first_token + i;
  for (int64_t u = 0; u < x.n_blocks() / kFormat.blocks_per_unit(); ++u) {
    scales[0].load_unit(p);
    scales[1].load_unit(p + group_bytes);
    p += kFormat.header_bytes();
    for (int64_t b = 0; b < kFormat.blocks_per_unit(); ++b, p += kFormat.block_bytes(), at += x.pitch) {
      if constexpr (kPrecision == Precision::fine) {
        for (int64_t line = 0; line < kFormat.block_bytes(); line += 64) {
          _mm_prefetch(reinterpret_cast<const char*>(p + kPrefetchBytes + line), _MM_HINT_T0);
          _mm_prefetch(reinterpret_cast<const char*>(p + group_bytes + kPrefetchBytes + line), _MM_HINT_T0);
        }
      }
      const std::byte* const codes[2] = {p + kFormat.scale_bytes(), p + group_bytes + kFormat.scale_bytes()};
      scales[0].load_block(p);
      scales[1].load_block(p + group_bytes);
      if constexpr (kFormat.scale_per_16()) {
        wide_part<kType, kPrecision, kTokens, 0, 4>(codes, scales, 0, x, at, sums);
        wide_part<kType, kPrecision, kTokens, 4, 4>(codes, scales, 1, x, at, sums);
      } else {
        wide_part<kType, kPrecision, kTokens, 0, 8>(codes, scales, 0, x, at, sums);
      }
    }
  }
#pragma GCC unroll 2
  for (int g = 0; g < 2; ++g) {
    const int64_t row = (group + g) * kGroupRows;
    const __mmask16 mask = tail_mask(args.weight->rows - row);
#pragma GCC unroll 6
    for (int t = 0; t < kTokens; ++t) {
      float* y = args.y + (i + t) * args.y_stride + row;
      if (args.add) sums[t][g] = _mm512_add_ps(sums[t][g], _mm512_maskz_loadu_ps(mask, y));
      _mm512_mask_storeu_ps(y, mask, sums[t][g]);
    }
  }
}

// Tokens in stretches whose input stays in the second-level cache while all groups pass over it.
template <TensorType kType, Precision kPrecision>
void all_tiles(const MatmulArgs& args) {
  const int64_t fitting = (int64_t{384} << 10) / (args.weight->cols + 1);
  const int64_t stretch = fitting < 48 ? 48 : fitting / 12 * 12;
  // One token alone waits for memory, which likes one stream.
  const bool wide = args.token_stride == 1 && args.n_tokens > 1;
  constexpr int kWide = kPrecision == Precision::coarse ? kWideTokens : kFineWideTokens;
  for (int64_t begin = 0; begin < args.n_tokens; begin += stretch) {
    const int64_t end = begin + stretch < args.n_tokens ? begin + stretch : args.n_tokens;
    int64_t group = args.group_begin;
    const auto narrow_tiles = [&](int64_t g, int64_t i) {
      for (; i + 4 <= end; i += 4) tile_to_memory<kType, kPrecision, 4>(args, g, i);
      for (; i < end; ++i) tile_to_memory<kType, kPrecision, 1>(args, g, i);
    };
    for (; wide && group + 2 <= args.group_end; group += 2) {
      int64_t i = begin;
      for (; i + kWide <= end; i += kWide) wide_tile<kType, kPrecision, kWide>(args, group, i);
      if constexpr (kPrecision == Precision::fine) {
        if (i + 3 == end) {
          wide_tile<kType, kPrecision, 3>(args, group, i);
          i += 3;
        }
      }
      for (; i + 2 <= end; i += 2) wide_tile<kType, kPrecision, 2>(args, group, i);
      narrow_tiles(group, i);
      narrow_tiles(group + 1, i);
    }
    for (; group < args.group_end; ++group) narrow_tiles(group, begin);
  }
}

template <TensorType kType>
void by_precision(const MatmulArgs& args) {
  if (args.x->precision == Precision::fine) {
    all_tiles<kType, Precision::fine>(args);
  } else {
    all_tiles<kType, Precision::coarse>(args);
  }
}

}  // namespace

void matmul(const MatmulArgs& args) {
  const bool done =
      with_quantised_type(args.weight->type, [&]<TensorType kType>() { by_precision<kType>(args); });
  if (!done) matmul_plain(args);
}

}  // namespace plm::kernels::avx512
