#include "kernels/x86/avx2.h"
#include "kernels/x86/simd_avx2.h"

namespace plm::kernels::avx2 {

void silu_multiply(float* gate, const float* up, int64_t n) {
  const __m256 one = _mm256_set1_ps(1.0f), largest = _mm256_set1_ps(88.0f);  // of what exp takes
  for (int64_t i = 0; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i);
    const __m256 g = _mm256_maskload_ps(gate + i, mask);
    const __m256 minus = _mm256_min_ps(_mm256_sub_ps(_mm256_setzero_ps(), g), largest);
    const __m256 silu = _mm256_div_ps(g, _mm256_add_ps(one, exp(minus)));
    _mm256_maskstore_ps(gate + i, mask, _mm256_mul_ps(silu, _mm256_maskload_ps(up + i, mask)));
  }
}

}  // namespace plm::kernels::avx2
