// The shared vocabulary of the AVX-512 kernels: how a packed format is read. Only for files compiled
// with AVX-512 flags; no standard containers here or there, whose inlined code could end up in
// programs' generic parts.
#pragma once

#include <immintrin.h>

#include "kernels/packed_format.h"

namespace plm::kernels::avx512 {

// Codes are multiplied as unsigned bytes; this much is taken off every one of them. The tables of the
// IQ4 formats are looked up with 128 added.
constexpr int dot_offset(PackedFormat format) {
  return format.codes == CodeKind::nibble_table ? 128 : format.offset;
}

inline __m512i load(const void* at) { return _mm512_loadu_si512(at); }

inline __m512 load_halves(const void* at) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(at)));
}

inline __m512 load_unsigned_bytes(const void* at) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(at))));
}

inline __m512 load_signed_bytes(const void* at) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(at))));
}

inline __m512i iq4_table() {
  alignas(16) static constexpr uint8_t kTable[16] = {
      128 - 127, 128 - 104, 128 - 83, 128 - 65, 128 - 49, 128 - 35, 128 - 22, 128 - 10,
      128 + 1,   128 + 13,  128 + 25, 128 + 38, 128 + 53, 128 + 69, 128 + 89, 128 + 113};
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(kTable)));
}

// The codes of a block: step s of 16 rows x 4 columns in codes[s], as unsigned bytes.
template <CodeKind kKind>
inline void load_codes(const std::byte* at, __m512i (&codes)[8]) {
  if constexpr (kKind == CodeKind::bytes) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) codes[s] = load(at + 64 * s);
    return;
  }
  const __m512i low_mask = _mm512_set1_epi8(15);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512i pair = load(at + 64 * i);
    codes[i] = _mm512_and_si512(pair, low_mask);
    codes[i + 4] = _mm512_and_si512(_mm512_srli_epi16(pair, 4), low_mask);
  }
  if constexpr (kKind == CodeKind::nibble_table) {
    const __m512i table = iq4_table();
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) codes[s] = _mm512_shuffle_epi8(table, codes[s]);
  }
  if constexpr (kKind == CodeKind::nibbles_high1) {
    const __m512i high = load(at + 256);
    const __m512i fifth = _mm512_set1_epi8(16);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const __m512i shifted = s < 4 ? _mm512_slli_epi16(high, 4 - s) : _mm512_srli_epi16(high, s - 4);
      codes[s] = _mm512_or_si512(codes[s], _mm512_and_si512(shifted, fifth));
    }
  }
  if constexpr (kKind == CodeKind::nibbles_high2) {
    const __m512i high[2] = {load(at + 256), load(at + 320)};
    const __m512i mask = _mm512_set1_epi8(48);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const int shift = (s & ~1) - 4;  // bits 2p, 2p+1 to bits 4, 5
      const __m512i v = high[s & 1];
      const __m512i shifted = shift < 0 ? _mm512_slli_epi16(v, -shift) : _mm512_srli_epi16(v, shift);
      codes[s] = _mm512_or_si512(codes[s], _mm512_and_si512(shifted, mask));
    }
  }
}

// The scales and minima of 16 rows, unit by unit and block by block.
template <TensorType kType>
struct Scales {
  static constexpr PackedFormat kFormat = packed_format(kType);
  static constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;

  __m512 d, dmin;  // of the unit (super formats)
  __m512 scale[kPerBlock], minimum[kPerBlock];

  inline void load_unit(const std::byte* header) {
    if constexpr (kFormat.super()) {
      d = load_halves(header);
      if constexpr (kFormat.has_minimum()) dmin = load_halves(header + 32);
    }
  }

  inline void load_block(const std::byte* at) {
    if constexpr (!kFormat.super()) {
      scale[0] = load_halves(at);
      if constexpr (kFormat.has_minimum()) minimum[0] = load_halves(at + 32);
    } else {
#pragma GCC unroll 2
      for (int i = 0; i < kPerBlock; ++i) {
        if constexpr (kFormat.has_minimum()) {
          scale[i] = _mm512_mul_ps(d, load_unsigned_bytes(at + 16 * i));
          minimum[i] = _mm512_mul_ps(dmin, load_unsigned_bytes(at + 16 * (kPerBlock + i)));
        } else {
          scale[i] = _mm512_mul_ps(d, load_signed_bytes(at + 16 * i));
        }
      }
    }
  }
};

// e^x to about one unit in the last place; x at most 88.
inline __m512 exp(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-104.0f));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145752f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860677e-6f), r);
  __m512 p = _mm512_set1_ps(1.0f / 5040);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 720));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

// Lanes i < n, n >= 0.
inline __mmask16 tail_mask(int64_t n) {
  return n >= 16 ? 0xffff : static_cast<__mmask16>((1u << (n & 15)) - 1);
}

}  // namespace plm::kernels::avx512
