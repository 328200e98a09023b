// Quantised matrix products without dot product instructions (Cortex-A72 and the like): bytes are
// multiplied to 16 bits (smlal), as many products added as cannot overflow, then pairs added to 32 bits
// (sadalp). One step of a quad are two multiplications: rows 0 and 1, rows 2 and 3.
#include "kernels/arm/matmul_tiles.h"

namespace plm::kernels::neon {
namespace {

// How many products fit 16 bits. The high plane is within +-127, the low one within -128..127; codes are
// at most 15, 31, 63; within -127..113 (tables); within -128..127 (bytes).
constexpr int products_in_16_bits(CodeKind kind, Plane plane) {
  switch (kind) {
    case CodeKind::nibbles:
    case CodeKind::nibbles_high1:
      return 8;  // 8 * 31 * 128 = 31744
    case CodeKind::nibbles_high2:
      return 4;  // 4 * 63 * 128 = 32256
    case CodeKind::bytes:
      return plane == Plane::high ? 2 : 1;  // 2 * 128 * 127 = 32512, but 2 * 128 * 128 is too much
    case CodeKind::nibble_table:
      return 2;  // 2 * 127 * 128 = 32512
    case CodeKind::plain:
      break;
  }
  return 1;
}

struct WideningProduct {
  template <CodeKind kKind, Plane kPlane, int kSteps>
  [[gnu::always_inline]] static int32x4_t onto(int32x4_t start, const int8x16_t* codes, const int8x16_t* x) {
    constexpr int kFitting = products_in_16_bits(kKind, kPlane);
    constexpr int kTogether = kFitting < kSteps ? kFitting : kSteps;
    int32x4_t rows01 = vdupq_n_s32(0), rows23 = vdupq_n_s32(0);
    int16x8_t low, high;
    int32x4_t columns[kSteps / 4];
    for (int i = 0; i < kSteps / 4; ++i) {
      columns[i] = vreinterpretq_s32_s8(x[i]);
      // Says that the register may have changed: g++ would share the lanes spread below between quads,
      // for which there are not enough registers (docs/kernels/arm.md).
      asm("" : "+w"(columns[i]));
    }
    unrolled<kSteps>([&]<int s>() __attribute__((always_inline)) {
      // Four columns of the token, four times.
      const int8x16_t four = vreinterpretq_s8_s32(vdupq_laneq_s32(columns[s / 4], s % 4));
      if constexpr (s % kTogether == 0) {
        low = vmull_s8(vget_low_s8(codes[s]), vget_low_s8(four));
        high = vmull_high_s8(codes[s], four);
      } else {
        low = vmlal_s8(low, vget_low_s8(codes[s]), vget_low_s8(four));
        high = vmlal_high_s8(high, codes[s], four);
      }
      if constexpr (s % kTogether == kTogether - 1) {
        rows01 = s < kTogether ? vpaddlq_s16(low) : vpadalq_s16(rows01, low);
        rows23 = s < kTogether ? vpaddlq_s16(high) : vpadalq_s16(rows23, high);
      }
    });
    return vaddq_s32(start, vpaddq_s32(rows01, rows23));
  }
};

}  // namespace

void matmul(const MatmulArgs& args) { matmul_with<WideningProduct>(args); }

}  // namespace plm::kernels::neon
