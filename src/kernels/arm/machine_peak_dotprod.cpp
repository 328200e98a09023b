#include <arm_neon.h>

#include "kernels/machine_peak.h"

namespace plm::kernels {
namespace neon_dotprod {
namespace {

constexpr int kSums = 16;

// The compiler must take the numbers for new: it would multiply once for all rounds, and sum once for all
// sums.
template <class Vector>
[[gnu::always_inline]] inline void forget(Vector& numbers) {
  asm volatile("" : "+w"(numbers));
}

uint64_t int8_peak(int64_t n_rounds) {
  int32x4_t sums[kSums];
#pragma GCC unroll 16
  for (auto& sum : sums) {
    sum = vdupq_n_s32(0);
    forget(sum);
  }
  const int8x16_t codes = vdupq_n_s8(1), x = vdupq_n_s8(1);
  for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = vdotq_s32(sums[i], codes, x);
  }
#pragma GCC unroll 16
  for (int i = 1; i < kSums; ++i) sums[0] = vaddq_s32(sums[0], sums[i]);
  return static_cast<uint64_t>(vgetq_lane_s32(sums[0], 0));
}

}  // namespace
}  // namespace neon_dotprod

void use_neon_dotprod(MachinePeak& peak) {
  peak.int8 = {"sdot", int64_t{2} * 16 * neon_dotprod::kSums, neon_dotprod::int8_peak};
}

}  // namespace plm::kernels
