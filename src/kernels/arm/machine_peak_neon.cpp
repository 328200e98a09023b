#include <arm_neon.h>

#include "kernels/machine_peak.h"

namespace plm::kernels {
namespace neon {
namespace {

constexpr int kSums = 16;

// The compiler must take the numbers for new: it would multiply once for all rounds, and sum once for all
// sums.
template <class Vector>
[[gnu::always_inline]] inline void forget(Vector& numbers) {
  asm volatile("" : "+w"(numbers));
}

// Without a dot product: two halves of 16-bit products, added pairwise into 32 bits.
uint64_t int8_peak(int64_t n_rounds) {
  int32x4_t sums[kSums];
#pragma GCC unroll 16
  for (auto& sum : sums) {
    sum = vdupq_n_s32(0);
    forget(sum);
  }
  int8x16_t codes = vdupq_n_s8(1);
  const int8x16_t x = vdupq_n_s8(1);
  for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) {
      forget(codes);
      const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(x));
      sums[i] = vpadalq_s16(sums[i], vmlal_high_s8(low, codes, x));
    }
  }
#pragma GCC unroll 16
  for (int i = 1; i < kSums; ++i) sums[0] = vaddq_s32(sums[0], sums[i]);
  return static_cast<uint64_t>(vgetq_lane_s32(sums[0], 0));
}

uint64_t fp32_peak(int64_t n_rounds) {
  float32x4_t sums[kSums];
#pragma GCC unroll 16
  for (auto& sum : sums) {
    sum = vdupq_n_f32(0);
    forget(sum);
  }
  const float32x4_t a = vdupq_n_f32(1), b = vdupq_n_f32(0.5f);
  for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = vfmaq_f32(sums[i], a, b);
  }
#pragma GCC unroll 16
  for (int i = 1; i < kSums; ++i) sums[0] = vaddq_f32(sums[0], sums[i]);
  return static_cast<uint64_t>(vgetq_lane_f32(sums[0], 0));
}

uint64_t read(const std::byte* data, int64_t n_bytes) {
  constexpr int64_t kPrefetchBytes = 2048;
  uint64x2_t sums[16];
#pragma GCC unroll 16
  for (auto& sum : sums) {
    sum = vdupq_n_u64(0);
    forget(sum);
  }
  for (int64_t at = 0; at < n_bytes; at += kReadBytes) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      const auto* here = reinterpret_cast<const uint64_t*>(data + at + 16 * i);
      if (i % 4 == 0) __builtin_prefetch(reinterpret_cast<const std::byte*>(here) + kPrefetchBytes);
      sums[i] = veorq_u64(sums[i], vld1q_u64(here));
    }
  }
#pragma GCC unroll 16
  for (int i = 1; i < 16; ++i) sums[0] = veorq_u64(sums[0], sums[i]);
  return vgetq_lane_u64(sums[0], 0);
}

}  // namespace
}  // namespace neon

void use_neon(MachinePeak& peak) {
  peak.int8 = {"smull, smlal2, sadalp", int64_t{2} * 16 * neon::kSums, neon::int8_peak};
  peak.fp32 = {"fmla", int64_t{2} * 4 * neon::kSums, neon::fp32_peak};
  peak.read = neon::read;
}

}  // namespace plm::kernels
