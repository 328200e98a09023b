#include "kernels/group_attend_text.h"
#include "kernels/x86/attention_tiles_avx2.h"
#include "kernels/x86/avx2.h"

namespace plm::kernels::avx2 {
namespace {

struct Simd {
  static constexpr int kLanes = 8, kMaxHeads = 4, kValueVectors = 2;  // 8 sums of 16 registers
  using Vector = __m256;

  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector broadcast(float x) { return _mm256_set1_ps(x); }
  static Vector load_floats(const float* at) { return _mm256_loadu_ps(at); }
  static void store(float* at, Vector v) { _mm256_storeu_ps(at, v); }
  static Vector multiply_add(Vector a, Vector b, Vector sum) { return _mm256_fmadd_ps(a, b, sum); }

  // The numbers i .. i + 7 of a row; i is a multiple of 8.
  template <TensorType kType>
  static Vector load(const std::byte* row, int64_t i) {
    if constexpr (kType == TensorType::f32) {
      return _mm256_loadu_ps(reinterpret_cast<const float*>(row) + i);
    } else if constexpr (kType == TensorType::f16) {
      return load_halves(row + 2 * i);
    } else if constexpr (kType == TensorType::bf16) {
      return load_bf16(row + 2 * i);
    } else {
      const std::byte* block = row + i / 32 * 34;
      const __m256 scale = _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_loadu_si16(block)));
      return _mm256_mul_ps(load_signed_bytes(block + 2 + i % 32), scale);
    }
  }

  // Lane r: the sum of all lanes of v[r].
  static Vector sums_of_lanes(const Vector (&v)[8]) {
    const __m256 first = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    const __m256 second = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
    return _mm256_add_ps(_mm256_permute2f128_ps(first, second, 0x20),
                         _mm256_permute2f128_ps(first, second, 0x31));
  }

  static void softmax_step(float* scores, int64_t n, int64_t n_padded, float& maximum, float& sum) {
    avx2::softmax_step(scores, n, n_padded, maximum, sum);
  }
};

}  // namespace

void group_attend(const GroupAttendArgs& args) { group_attend_by<Simd>(args); }

}  // namespace plm::kernels::avx2
