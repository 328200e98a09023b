// What plain C++ gets out of a machine, as far as the compiler sees to it.
#include "kernels/machine_peak.h"

#include <algorithm>
#include <numeric>

namespace plm::kernels {
namespace {

constexpr int kNumbers = 64;

// The compiler must take the numbers for new in every round.
template <class T>
void forget(T* numbers) {
  asm volatile("" : : "r"(numbers) : "memory");
}

template <class Input, class Sum>
uint64_t multiply_add(int64_t n_rounds) {
  Input a[kNumbers], b[kNumbers];
  Sum sums[kNumbers] = {};
  std::iota(a, a + kNumbers, Input{1});
  std::fill(b, b + kNumbers, Input{1});
  for (int64_t round = 0; round < n_rounds; ++round) {
    forget(a);
    for (int i = 0; i < kNumbers; ++i) sums[i] += static_cast<Sum>(a[i]) * static_cast<Sum>(b[i]);
  }
  double total = 0;
  for (const Sum sum : sums) total += static_cast<double>(sum);
  return static_cast<uint64_t>(total);
}

uint64_t read(const std::byte* data, int64_t n_bytes) {
  const auto* words = reinterpret_cast<const uint64_t*>(data);
  uint64_t sum = 0;
  for (int64_t i = 0; i < n_bytes / 8; ++i) sum ^= words[i];
  return sum;
}

}  // namespace

void use_reference(MachinePeak& peak) {
  peak.int8 = {"plain C++", 2 * kNumbers, multiply_add<int8_t, int32_t>};
  peak.fp32 = {"plain C++", 2 * kNumbers, multiply_add<float, float>};
  peak.read = read;
}

}  // namespace plm::kernels
