#include "kernels/group_attend_text.h"
#include "kernels/x86/attention_tiles_avx512.h"
#include "kernels/x86/avx512.h"

namespace plm::kernels::avx512 {
namespace {

struct Simd {
  static constexpr int kLanes = 16, kMaxHeads = 6, kValueVectors = 4;  // 24 sums of 32 registers
  using Vector = __m512;

  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector broadcast(float x) { return _mm512_set1_ps(x); }
  static Vector load_floats(const float* at) { return _mm512_loadu_ps(at); }
  static void store(float* at, Vector v) { _mm512_storeu_ps(at, v); }
  static Vector multiply_add(Vector a, Vector b, Vector sum) { return _mm512_fmadd_ps(a, b, sum); }

  // The numbers i .. i + 15 of a row; i is a multiple of 16.
  template <TensorType kType>
  static Vector load(const std::byte* row, int64_t i) {
    if constexpr (kType == TensorType::f32) {
      return _mm512_loadu_ps(reinterpret_cast<const float*>(row) + i);
    } else if constexpr (kType == TensorType::f16) {
      return load_halves(row + 2 * i);
    } else if constexpr (kType == TensorType::bf16) {
      const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 2 * i));
      return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    } else {
      const std::byte* block = row + i / 32 * 34;
      const __m512 scale = _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_loadu_si16(block)));
      return _mm512_mul_ps(load_signed_bytes(block + 2 + i % 32), scale);
    }
  }

  // Lane r: the sum of all lanes of v[r]. Each step adds halves of two vectors side by side.
  static Vector sums_of_lanes(const Vector (&v)[16]) {
    __m512 pairs[8], fours[4], eights[2];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]),
                               _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512d a = _mm512_castps_pd(pairs[2 * i]), b = _mm512_castps_pd(pairs[2 * i + 1]);
      fours[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                               _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      eights[i] = _mm512_add_ps(_mm512_shuffle_f32x4(fours[2 * i], fours[2 * i + 1], 0x88),
                                _mm512_shuffle_f32x4(fours[2 * i], fours[2 * i + 1], 0xdd));
    }
    return _mm512_add_ps(_mm512_shuffle_f32x4(eights[0], eights[1], 0x88),
                         _mm512_shuffle_f32x4(eights[0], eights[1], 0xdd));
  }

  static void softmax_step(float* scores, int64_t n, int64_t n_padded, float& maximum, float& sum) {
    avx512::softmax_step(scores, n, n_padded, maximum, sum);
  }
};

}  // namespace

void group_attend(const GroupAttendArgs& args) { group_attend_by<Simd>(args); }

}  // namespace plm::kernels::avx512
