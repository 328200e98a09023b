#include <immintrin.h>

#include "kernels/machine_peak.h"

namespace plm::kernels {
namespace avx2 {
namespace {

// Two products a cycle, each taking four, want eight sums under way; the rest of the registers hold inputs.
constexpr int kSums = 12;

// As the kernels multiply codes of four bits: eight products with two columns each are added in 16 bits
// before they are widened.
constexpr int kIntegerSums = 4, kProductsPerSum = 8;

// The compiler must take the numbers for new: it would multiply once for all rounds, and sum once for all
// sums.
template <class Vector>
[[gnu::always_inline]] inline void forget(Vector& numbers) {
  asm volatile("" : "+x"(numbers));
}

uint64_t int8_peak(int64_t n_rounds) {
  __m256i sums[kIntegerSums] = {};
#pragma GCC unroll 4
  for (auto& sum : sums) forget(sum);
  __m256i codes = _mm256_set1_epi8(1), x = _mm256_set1_epi8(1);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 4
    for (int i = 0; i < kIntegerSums; ++i) {
      forget(codes);
      __m256i sum = _mm256_maddubs_epi16(codes, x);
#pragma GCC unroll 7
      for (int s = 1; s < kProductsPerSum; ++s) {
        forget(x);
        sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, x));
      }
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(sum, ones));
    }
  }
#pragma GCC unroll 4
  for (int i = 1; i < kIntegerSums; ++i) sums[0] = _mm256_add_epi32(sums[0], sums[i]);
  return static_cast<uint64_t>(_mm256_extract_epi32(sums[0], 0));
}

uint64_t fp32_peak(int64_t n_rounds) {
  __m256 sums[kSums] = {};
#pragma GCC unroll 12
  for (auto& sum : sums) forget(sum);
  const __m256 a = _mm256_set1_ps(1), b = _mm256_set1_ps(0.5f);
  for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm256_fmadd_ps(a, b, sums[i]);
  }
#pragma GCC unroll 12
  for (int i = 1; i < kSums; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return static_cast<uint64_t>(_mm256_cvtss_f32(sums[0]));
}

uint64_t read(const std::byte* data, int64_t n_bytes) {
  constexpr int64_t kPrefetchBytes = 4096;
  __m256i sums[8] = {};
#pragma GCC unroll 8
  for (auto& sum : sums) forget(sum);
  for (int64_t at = 0; at < n_bytes; at += kReadBytes) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const std::byte* here = data + at + 32 * i;
      if (i % 2 == 0) _mm_prefetch(reinterpret_cast<const char*>(here + kPrefetchBytes), _MM_HINT_T0);
      sums[i] = _mm256_xor_si256(sums[i], _mm256_load_si256(reinterpret_cast<const __m256i*>(here)));
    }
  }
#pragma GCC unroll 8
  for (int i = 1; i < 8; ++i) sums[0] = _mm256_xor_si256(sums[0], sums[i]);
  return static_cast<uint64_t>(_mm256_extract_epi64(sums[0], 0));
}

}  // namespace
}  // namespace avx2

void use_avx2(MachinePeak& peak) {
  peak.int8 = {"vpmaddubsw ymm", int64_t{2} * 32 * avx2::kIntegerSums * avx2::kProductsPerSum,
               avx2::int8_peak};
  peak.fp32 = {"vfmadd ymm", int64_t{2} * 8 * avx2::kSums, avx2::fp32_peak};
  peak.read = avx2::read;
}

}  // namespace plm::kernels
