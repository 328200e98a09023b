#include "kernels/x86/avx512.h"
#include "kernels/x86/simd_avx512.h"

namespace plm::kernels::avx512 {

void silu_multiply(float* gate, const float* up, int64_t n) {
  const __m512 one = _mm512_set1_ps(1.0f), largest = _mm512_set1_ps(88.0f);  // of what exp takes
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = tail_mask(n - i);
    const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
    const __m512 minus = _mm512_min_ps(_mm512_sub_ps(_mm512_setzero_ps(), g), largest);
    const __m512 silu = _mm512_div_ps(g, _mm512_add_ps(one, exp(minus)));
    _mm512_mask_storeu_ps(gate + i, mask, _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(mask, up + i)));
  }
}

}  // namespace plm::kernels::avx512
