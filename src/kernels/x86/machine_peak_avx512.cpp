#include <immintrin.h>

#include "kernels/machine_peak.h"

namespace plm::kernels {
namespace avx512 {
namespace {

// Two products a cycle, each taking four, want eight sums under way; more do no harm.
constexpr int kSums = 16;

// The compiler must take the numbers for new: it would sum once for all sums.
template <class Vector>
[[gnu::always_inline]] inline void forget(Vector& numbers) {
  asm volatile("" : "+v"(numbers));
}

uint64_t int8_peak(int64_t n_rounds) {
  __m512i sums[kSums] = {};
#pragma GCC unroll 16
  for (auto& sum : sums) forget(sum);
  const __m512i codes = _mm512_set1_epi8(1), x = _mm512_set1_epi8(1);
  for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], codes, x);
  }
#pragma GCC unroll 16
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  return static_cast<uint64_t>(_mm512_cvtsi512_si32(sums[0]));
}

uint64_t fp32_peak(int64_t n_rounds) {
  __m512 sums[kSums] = {};
#pragma GCC unroll 16
  for (auto& sum : sums) forget(sum);
  const __m512 a = _mm512_set1_ps(1), b = _mm512_set1_ps(0.5f);
  for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_fmadd_ps(a, b, sums[i]);
  }
#pragma GCC unroll 16
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return static_cast<uint64_t>(_mm512_cvtss_f32(sums[0]));
}

uint64_t read(const std::byte* data, int64_t n_bytes) {
  constexpr int64_t kPrefetchBytes = 4096;
  __m512i sums[4] = {};
#pragma GCC unroll 4
  for (auto& sum : sums) forget(sum);
  for (int64_t at = 0; at < n_bytes; at += kReadBytes) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const std::byte* here = data + at + 64 * i;
      _mm_prefetch(reinterpret_cast<const char*>(here + kPrefetchBytes), _MM_HINT_T0);
      sums[i] = _mm512_xor_si512(sums[i], _mm512_load_si512(here));
    }
  }
#pragma GCC unroll 4
  for (int i = 1; i < 4; ++i) sums[0] = _mm512_xor_si512(sums[0], sums[i]);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm512_castsi512_si128(sums[0])));
}

}  // namespace
}  // namespace avx512

void use_avx512(MachinePeak& peak) {
  peak.int8 = {"vpdpbusd zmm", int64_t{2} * 64 * avx512::kSums, avx512::int8_peak};
  peak.fp32 = {"vfmadd zmm", int64_t{2} * 16 * avx512::kSums, avx512::fp32_peak};
  peak.read = avx512::read;
}

}  // namespace plm::kernels
