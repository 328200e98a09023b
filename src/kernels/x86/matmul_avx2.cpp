// Quantised matrix products with AVX2.
//
// One register holds four columns of 8 rows as unsigned codes; the input's four numbers are broadcast.
// A tile is 16 rows (two halves) x kTokens tokens. Two ways to multiply:
//   bytes   codes of up to 6 bits: vpmaddubsw, its 16-bit sums added over as many steps as fit, then
//           vpmaddwd by ones; once for each plane of the input
//   words   codes of 8 bits, whose products would not fit: even and odd columns as 16-bit numbers,
//           vpmaddwd; the fine input is one 16-bit number, so both precisions cost the same
// The offset of the codes is folded in: sum (code - offset) q = sum code q - offset sum q.
#include "kernels/x86/avx2.h"
#include "kernels/x86/simd_avx2.h"

namespace plm::kernels::avx2 {
namespace {

constexpr bool uses_words(CodeKind kind) { return kind == CodeKind::bytes || kind == CodeKind::nibble_table; }

// Steps whose products with signed bytes fit in 16 bits when summed: two of each step meet.
constexpr int steps_per_sum(CodeKind kind) {
  const int largest_code = kind == CodeKind::nibbles ? 15 : (kind == CodeKind::nibbles_high1 ? 31 : 63);
  return 32767 / (2 * 128 * largest_code);
}
static_assert(steps_per_sum(CodeKind::nibbles) == 8 && steps_per_sum(CodeKind::nibbles_high1) == 4 &&
              steps_per_sum(CodeKind::nibbles_high2) == 2);

template <CodeKind kKind, int kSteps>
inline __m256i dot_bytes(const __m256i* codes, const int8_t* x) {
  constexpr int kPerSum = steps_per_sum(kKind) < kSteps ? steps_per_sum(kKind) : kSteps;
  __m256i total = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int first = 0; first < kSteps; first += kPerSum) {
    __m256i sum = _mm256_maddubs_epi16(codes[first], broadcast_four_bytes(x + 4 * first));
#pragma GCC unroll 8
    for (int s = first + 1; s < first + kPerSum; ++s) {
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes[s], broadcast_four_bytes(x + 4 * s)));
    }
    total = _mm256_add_epi32(total, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
  }
  return total;
}

// The input of one block and token as 16-bit numbers; of each four columns the even two come first.
template <Precision kPrecision>
inline void to_words(const Activations& x, int64_t at, int16_t* words) {
  const __m256i even_first =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const auto widened = [&](const int8_t* plane) {
      return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(plane + 32 * at) + i));
    };
    __m256i q = widened(x.high);
    if constexpr (kPrecision == Precision::fine) {
      q = _mm256_add_epi16(_mm256_slli_epi16(q, 8), widened(x.low));
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(words) + i, _mm256_shuffle_epi8(q, even_first));
  }
}

// The codes of 8 rows of a block, ready to be multiplied with any number of tokens.
template <CodeKind kKind, Precision kPrecision>
struct HalfBlock {
  __m256i codes[8];

  inline void load(const std::byte* at) { load_codes<kKind>(at, codes); }

  // Columns of the steps first .. first + kSteps - 1.
  template <int kFirst, int kSteps>
  inline __m256i dot(const Activations& x, int64_t at, const int16_t*) const {
    const int64_t offset = 32 * at + 4 * kFirst;
    __m256i result = dot_bytes<kKind, kSteps>(codes + kFirst, x.high + offset);
    if constexpr (kPrecision == Precision::fine) {
      result = _mm256_add_epi32(_mm256_slli_epi32(result, 8),
                                dot_bytes<kKind, kSteps>(codes + kFirst, x.low + offset));
    }
    return result;
  }
};

template <CodeKind kKind, Precision kPrecision>
  requires(uses_words(kKind))
struct HalfBlock<kKind, kPrecision> {
  __m256i even[8], odd[8];

  inline void load(const std::byte* at) {
    load_codes<kKind>(at, even);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      odd[s] = _mm256_srli_epi16(even[s], 8);
      even[s] = _mm256_and_si256(even[s], _mm256_set1_epi16(255));
    }
  }

  template <int kFirst, int kSteps>
  inline __m256i dot(const Activations&, int64_t, const int16_t* words) const {
    __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
#pragma GCC unroll 8
    for (int s = kFirst; s < kFirst + kSteps; ++s) {
      const __m256i x_even = broadcast_four_bytes(words + 4 * s);
      const __m256i x_odd = broadcast_four_bytes(words + 4 * s + 2);
      sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(even[s], x_even));
      sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(odd[s], x_odd));
    }
    return _mm256_add_epi32(sums[0], sums[1]);
  }
};

// Adds a block of 8 rows times one token.
template <TensorType kType, Precision kPrecision>
inline __m256 add_block(const HalfBlock<packed_format(kType).codes, kPrecision>& half,
                        const Scales<kType>& scales, const Activations& x, int64_t at, const int16_t* words,
                        __m256 sum) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kOffset = dot_offset(kFormat);
  constexpr int kSteps = kFormat.scale_per_16() ? 4 : 8;
  const float x_scale = x.scale[at];
  const auto add_part = [&](__m256i dot, int32_t x_sum, int sub) {
    if constexpr (kOffset != 0) dot = _mm256_sub_epi32(dot, _mm256_set1_epi32(kOffset * x_sum));
    const __m256 scale = _mm256_mul_ps(scales.scale[sub], _mm256_set1_ps(x_scale));
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, sum);
    if constexpr (kFormat.has_minimum()) {
      const __m256 scaled_sum = _mm256_set1_ps(x_scale * static_cast<float>(x_sum));
      sum = _mm256_fnmadd_ps(scales.minimum[sub], scaled_sum, sum);
    }
  };
  const int32_t sum0 = x.half_sum[2 * at], sum1 = x.half_sum[2 * at + 1];
  if constexpr (kFormat.scale_per_16()) {
    add_part(half.template dot<0, kSteps>(x, at, words), sum0, 0);
    add_part(half.template dot<4, kSteps>(x, at, words), sum1, 1);
  } else {
    add_part(half.template dot<0, kSteps>(x, at, words), sum0 + sum1, 0);
  }
  return sum;
}

template <TensorType kType, Precision kPrecision, int kTokens>
inline void tile(const std::byte* group, const Activations& x, int64_t first_token, int64_t token_stride,
                 __m256 (&sums)[2][kTokens]) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr bool kWords = uses_words(kFormat.codes);
  const int64_t n_units = x.n_blocks() / kFormat.blocks_per_unit();
  int64_t at = first_token;  // of block and token, in the order [block][token]
  const std::byte* p = group;
  Scales<kType> scales[2];
  for (int64_t u = 0; u < n_units; ++u) {
    scales[0].load_unit(p, 0);
    scales[1].load_unit(p, 1);
    p += kFormat.header_bytes();
    for (int64_t b = 0; b < kFormat.blocks_per_unit(); ++b, p += kFormat.block_bytes(), at += x.pitch) {
      alignas(32) int16_t words[kWords ? kTokens : 1][32];
      if constexpr (kWords) {
#pragma GCC unroll 8
        for (int t = 0; t < kTokens; ++t) to_words<kPrecision>(x, at + t * token_stride, words[t]);
      }
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        scales[half].load_block(p, half);
        HalfBlock<kFormat.codes, kPrecision> codes;
        codes.load(p + kFormat.scale_bytes() + 32 * half);
#pragma GCC unroll 8
        for (int t = 0; t < kTokens; ++t) {
          sums[half][t] = add_block<kType, kPrecision>(codes, scales[half], x, at + t * token_stride,
                                                       words[kWords ? t : 0], sums[half][t]);
        }
      }
    }
  }
}

template <TensorType kType, Precision kPrecision, int kTokens>
void tile_to_memory(const MatmulArgs& args, int64_t group, int64_t i) {
  __m256 sums[2][kTokens];
#pragma GCC unroll 8
  for (int t = 0; t < kTokens; ++t) sums[0][t] = sums[1][t] = _mm256_setzero_ps();
  tile<kType, kPrecision, kTokens>(args.weight->group(group), *args.x,
                                   args.first_token + i * args.token_stride, args.token_stride, sums);
  for (int half = 0; half < 2; ++half) {
    const int64_t row = group * kGroupRows + 8 * half;
    if (row >= args.weight->rows) break;
    const __m256i mask = tail_mask(args.weight->rows - row);
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      float* y = args.y + (i + t) * args.y_stride + row;
      if (args.add) sums[half][t] = _mm256_add_ps(sums[half][t], _mm256_maskload_ps(y, mask));
      _mm256_maskstore_ps(y, mask, sums[half][t]);
    }
  }
}

// Tokens in stretches whose input stays in the second-level cache while all groups pass over it.
template <TensorType kType, Precision kPrecision>
void all_tiles(const MatmulArgs& args) {
  constexpr int kWide = kPrecision == Precision::coarse ? 8 : 4;
  const int64_t fitting = (int64_t{128} << 10) / (args.weight->cols + 1);
  const int64_t stretch = fitting < 32 ? 32 : fitting / 8 * 8;
  for (int64_t begin = 0; begin < args.n_tokens; begin += stretch) {
    const int64_t end = begin + stretch < args.n_tokens ? begin + stretch : args.n_tokens;
    for (int64_t group = args.group_begin; group < args.group_end; ++group) {
      int64_t i = begin;
      for (; i + kWide <= end; i += kWide) tile_to_memory<kType, kPrecision, kWide>(args, group, i);
      if constexpr (kWide > 4) {
        for (; i + 4 <= end; i += 4) tile_to_memory<kType, kPrecision, 4>(args, group, i);
      }
      for (; i < end; ++i) tile_to_memory<kType, kPrecision, 1>(args, group, i);
    }
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

}  // namespace plm::kernels::avx2
