#include "train/core/draw.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <numbers>

namespace plm::train {
namespace {

// The output function of SplitMix64 (Steele, Lea and Flood 2014).
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

double uniform(uint64_t key, uint64_t counter) {  // in (0, 1]
  const uint64_t bits = mix(key + (counter + 1) * 0x9e3779b97f4a7c15U);
  return static_cast<double>((bits >> 11) + 1) * 0x1.0p-53;
}

}  // namespace

at::Tensor draw_normal(uint64_t seed, std::string_view name, const std::vector<int64_t>& shape,
                       double deviation) {
  uint64_t key = mix(seed + 0x9e3779b97f4a7c15U);
  for (const char letter : name) key = mix(key ^ static_cast<uint8_t>(letter));
  at::Tensor out = at::empty(shape, at::kFloat);
  float* numbers = out.mutable_data_ptr<float>();
  at::parallel_for(0, out.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {  // Box and Muller
      const auto counter = 2 * static_cast<uint64_t>(i);
      const double radius = std::sqrt(-2.0 * std::log(uniform(key, counter)));
      const double angle = 2.0 * std::numbers::pi * uniform(key, counter + 1);
      numbers[i] = static_cast<float>(deviation * radius * std::cos(angle));
    }
  });
  return out;
}

}  // namespace plm::train
