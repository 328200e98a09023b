// The gate of SwiGLU (arXiv 2002.05202).
#include <cmath>

#include "kernels/reference/reference.h"

namespace plm::kernels::reference {

void silu_multiply(float* gate, const float* up, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double g = gate[i];
    gate[i] = static_cast<float>(g / (1 + std::exp(-g)) * up[i]);
  }
}

}  // namespace plm::kernels::reference
