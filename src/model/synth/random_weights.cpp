#include "model/synth/random_weights.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace plm::model {
namespace {

constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, the step of splitmix64
constexpr int kTableBits = 12;
constexpr size_t kTableSize = size_t{1} << kTableBits;

// The finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

using Table = std::array<float, kTableSize>;

// Middles of equally likely slices of the normal distribution, of variance 1.
Table make_table() {
  std::array<double, kTableSize> quantile;
  double square_sum = 0;
  for (size_t i = 0; i < kTableSize; ++i) {
    quantile[i] = normal_quantile((static_cast<double>(i) + 0.5) / kTableSize);
    square_sum += quantile[i] * quantile[i];
  }
  const double factor = 1 / std::sqrt(square_sum / kTableSize);
  Table table;
  for (size_t i = 0; i < kTableSize; ++i) table[i] = static_cast<float>(quantile[i] * factor);
  return table;
}

const Table& normal_table() {
  static const Table table = make_table();
  return table;
}

}  // namespace

uint64_t row_key(uint64_t seed, std::string_view tensor, int64_t row) {
  uint64_t key = mix(seed + kGoldenRatio);
  for (const char c : tensor) key = mix(key ^ static_cast<unsigned char>(c)) + kGoldenRatio;
  return mix(key ^ mix(static_cast<uint64_t>(row) + kGoldenRatio));
}

double normal_quantile(double probability) {
  double low = -40, high = 40;
  for (int i = 0; i < 80; ++i) {
    const double middle = 0.5 * (low + high);
    const double below = 0.5 * std::erfc(-middle / std::sqrt(2.0));
    (below < probability ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

void fill_normal(uint64_t key, float deviation, float* out, int64_t n) {
  const Table& table = normal_table();
  for (int64_t i = 0; i < n; i += 4) {  // each hash serves four numbers
    uint64_t bits = mix(key + static_cast<uint64_t>(i / 4 + 1) * kGoldenRatio);
    const int64_t end = std::min(n, i + 4);
    for (int64_t j = i; j < end; ++j, bits >>= 16) out[j] = deviation * table[bits & (kTableSize - 1)];
  }
}

float random_sign(uint64_t key, int64_t i) {
  return (mix(~key + static_cast<uint64_t>(i + 1) * kGoldenRatio) & 1) != 0 ? 1.0f : -1.0f;
}

}  // namespace plm::model
