#include "kernels/arm/neon.h"
#include "kernels/arm/simd_neon.h"

namespace plm::kernels::neon {

void silu_multiply(float* gate, const float* up, int64_t n) {
  const float32x4_t one = vdupq_n_f32(1.0f), largest = vdupq_n_f32(88.0f);  // of what exp takes
  for (int64_t i = 0; i < n; i += 4) {
    const float32x4_t g = load_first(gate + i, n - i);
    const float32x4_t silu = vdivq_f32(g, vaddq_f32(one, exp(vminq_f32(vnegq_f32(g), largest))));
    store_first(gate + i, n - i, vmulq_f32(silu, load_first(up + i, n - i)));
  }
}

}  // namespace plm::kernels::neon
