// Quantised matrix products with sdot: one instruction multiplies four rows x four columns by four numbers
// of a token, taken from a lane.
#include "kernels/arm/matmul_tiles.h"

namespace plm::kernels::neon_dotprod {
namespace {

struct DotProduct {
  template <CodeKind, neon::Plane, int kSteps>
  [[gnu::always_inline]] static int32x4_t onto(int32x4_t sum, const int8x16_t* codes, const int8x16_t* x) {
    neon::unrolled<kSteps>([&]<int s>() __attribute__((always_inline)) {
      sum = vdotq_laneq_s32(sum, codes[s], x[s / 4], s % 4);
    });
    return sum;
  }
};

}  // namespace

void matmul(const MatmulArgs& args) { neon::matmul_with<DotProduct>(args); }

}  // namespace plm::kernels::neon_dotprod
