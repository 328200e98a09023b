// The shared vocabulary of the AVX2 kernels: how a packed format is read. A vector of the layout, 64
// bytes for 16 rows, is two halves of 8 rows. Only for files compiled with AVX2 flags; no standard
// containers here or there, whose inlined code could end up in programs' generic parts.
#pragma once

#include <immintrin.h>

#include "kernels/packed_format.h"

namespace plm::kernels::avx2 {

// Codes are multiplied as unsigned bytes; this much is taken off every one of them. The tables of the
// IQ4 formats are looked up with 128 added.
constexpr int dot_offset(PackedFormat format) {
  return format.codes == CodeKind::nibble_table ? 128 : format.offset;
}

inline __m256i load(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }

inline __m256i broadcast_four_bytes(const void* at) {
  int32_t four;
  __builtin_memcpy(&four, at, sizeof four);
  return _mm256_set1_epi32(four);
}

inline __m256 load_halves(const void* at) {
  return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(at)));
}

inline __m256 load_bf16(const void* at) {
  const __m128i bits = _mm_loadu_si128(static_cast<const __m128i*>(at));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

inline __m256 load_unsigned_bytes(const void* at) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(at))));
}

inline __m256 load_signed_bytes(const void* at) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(at))));
}

// Lanes i < n, for masked loads and stores.
inline __m256i tail_mask(int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const int count = n >= 8 ? 8 : (n > 0 ? static_cast<int>(n) : 0);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane);
}

inline float sum_of_lanes(__m256 v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

inline float largest_of_lanes(__m256 v) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

inline int32_t sum_of_lanes(__m256i v) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

// The signed values of the IQ4 codes plus `added`, once in each lane of 128 bits.
template <int kAdded>
inline __m256i iq4_table() {
  alignas(16) static constexpr int8_t kTable[16] = {
      static_cast<int8_t>(kIq4Values[0] + kAdded),  static_cast<int8_t>(kIq4Values[1] + kAdded),
      static_cast<int8_t>(kIq4Values[2] + kAdded),  static_cast<int8_t>(kIq4Values[3] + kAdded),
      static_cast<int8_t>(kIq4Values[4] + kAdded),  static_cast<int8_t>(kIq4Values[5] + kAdded),
      static_cast<int8_t>(kIq4Values[6] + kAdded),  static_cast<int8_t>(kIq4Values[7] + kAdded),
      static_cast<int8_t>(kIq4Values[8] + kAdded),  static_cast<int8_t>(kIq4Values[9] + kAdded),
      static_cast<int8_t>(kIq4Values[10] + kAdded), static_cast<int8_t>(kIq4Values[11] + kAdded),
      static_cast<int8_t>(kIq4Values[12] + kAdded), static_cast<int8_t>(kIq4Values[13] + kAdded),
      static_cast<int8_t>(kIq4Values[14] + kAdded), static_cast<int8_t>(kIq4Values[15] + kAdded)};
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(kTable)));
}

// The codes of 8 rows of a block: step s of 8 rows x 4 columns in codes[s], as unsigned bytes. `at` is
// where the block's codes begin, plus 32 for the second half of the rows.
template <CodeKind kKind>
inline void load_codes(const std::byte* at, __m256i (&codes)[8]) {
  if constexpr (kKind == CodeKind::bytes) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) codes[s] = load(at + 64 * s);
    return;
  }
  const __m256i low_mask = _mm256_set1_epi8(15);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256i pair = load(at + 64 * i);
    codes[i] = _mm256_and_si256(pair, low_mask);
    codes[i + 4] = _mm256_and_si256(_mm256_srli_epi16(pair, 4), low_mask);
  }
  if constexpr (kKind == CodeKind::nibble_table) {
    const __m256i table = iq4_table<128>();
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) codes[s] = _mm256_shuffle_epi8(table, codes[s]);
  }
  if constexpr (kKind == CodeKind::nibbles_high1) {
    const __m256i high = load(at + 256);
    const __m256i fifth = _mm256_set1_epi8(16);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const __m256i shifted = s < 4 ? _mm256_slli_epi16(high, 4 - s) : _mm256_srli_epi16(high, s - 4);
      codes[s] = _mm256_or_si256(codes[s], _mm256_and_si256(shifted, fifth));
    }
  }
  if constexpr (kKind == CodeKind::nibbles_high2) {
    const __m256i high[2] = {load(at + 256), load(at + 320)};
    const __m256i mask = _mm256_set1_epi8(48);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const int shift = (s & ~1) - 4;  // bits 2p, 2p+1 to bits 4, 5
      const __m256i v = high[s & 1];
      const __m256i shifted = shift < 0 ? _mm256_slli_epi16(v, -shift) : _mm256_srli_epi16(v, shift);
      codes[s] = _mm256_or_si256(codes[s], _mm256_and_si256(shifted, mask));
    }
  }
}

// The scales and minima of 8 rows, unit by unit and block by block. `half` is 0 or 1.
template <TensorType kType>
struct Scales {
  static constexpr PackedFormat kFormat = packed_format(kType);
  static constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;

  __m256 d, dmin;  // of the unit (super formats)
  __m256 scale[kPerBlock], minimum[kPerBlock];

  inline void load_unit(const std::byte* header, int half) {
    if constexpr (kFormat.super()) {
      d = load_halves(header + 16 * half);
      if constexpr (kFormat.has_minimum()) dmin = load_halves(header + 32 + 16 * half);
    }
  }

  inline void load_block(const std::byte* at, int half) {
    if constexpr (!kFormat.super()) {
      scale[0] = load_halves(at + 16 * half);
      if constexpr (kFormat.has_minimum()) minimum[0] = load_halves(at + 32 + 16 * half);
    } else {
#pragma GCC unroll 2
      for (int i = 0; i < kPerBlock; ++i) {
        const std::byte* sub_scales = at + 16 * i + 8 * half;
        if constexpr (kFormat.has_minimum()) {
          scale[i] = _mm256_mul_ps(d, load_unsigned_bytes(sub_scales));
          minimum[i] = _mm256_mul_ps(dmin, load_unsigned_bytes(sub_scales + 16 * kPerBlock));
        } else {
          scale[i] = _mm256_mul_ps(d, load_signed_bytes(sub_scales));
        }
      }
    }
  }
};

// e^x to about one unit in the last place; x at most 88.
inline __m256 exp(__m256 x) {
  x = _mm256_max_ps(x, _mm256_set1_ps(-104.0f));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), 8);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693145752f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(1.42860677e-6f), r);
  __m256 p = _mm256_set1_ps(1.0f / 5040);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  // 2^n as two factors: n goes down to -150, where one would not be a normal number.
  const __m256i exponent = _mm256_cvtps_epi32(n);
  const __m256i first = _mm256_srai_epi32(exponent, 1);
  const __m256i second = _mm256_sub_epi32(exponent, first);
  const __m256i bias = _mm256_set1_epi32(127);
  const auto power = [&](__m256i e) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, bias), 23));
  };
  return _mm256_mul_ps(_mm256_mul_ps(p, power(first)), power(second));
}

}  // namespace plm::kernels::avx2
