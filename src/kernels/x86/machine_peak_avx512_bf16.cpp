#include <immintrin.h>

#include "kernels/machine_peak.h"

namespace plm::kernels {
namespace avx512_bf16 {
namespace {

constexpr int kSums = 16;

// The compiler must take the numbers for new: it would sum once for all sums.
template <class Vector>
[[gnu::always_inline]] inline void forget(Vector& numbers) {
  asm volatile("" : "+v"(numbers));
}

uint64_t bf16_peak(int64_t n_rounds) {
  __m512 sums[kSums] = {};
#pragma GCC unroll 16
  for (auto& sum : sums) forget(sum);
  const auto a = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f80)), b = a;  // ones
  for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
  }
#pragma GCC unroll 16
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return static_cast<uint64_t>(_mm512_cvtss_f32(sums[0]));
}

}  // namespace
}  // namespace avx512_bf16

void use_avx512_bf16(MachinePeak& peak) {
  peak.bf16 = {"vdpbf16ps zmm", int64_t{2} * 32 * avx512_bf16::kSums, avx512_bf16::bf16_peak};
}

}  // namespace plm::kernels
