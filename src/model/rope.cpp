#include "model/rope.h"

#include <cmath>

namespace plm::model {
namespace {

double frequency(int64_t pair, int64_t width, double base) {
  return std::pow(base, -2 * static_cast<double>(pair) / static_cast<double>(width));
}

void fill_pair(int64_t position, double frequency, float* cos_sin) {
  const double angle = static_cast<double>(position) * frequency;
  cos_sin[0] = static_cast<float>(std::cos(angle));
  cos_sin[1] = static_cast<float>(std::sin(angle));
}

}  // namespace

std::vector<double> rope_frequencies(int64_t width, double base, std::span<const float> factors) {
  std::vector<double> frequencies(static_cast<size_t>(width / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = frequency(static_cast<int64_t>(i), width, base);
    if (!factors.empty()) frequencies[i] /= static_cast<double>(factors[i]);
  }
  return frequencies;
}

void fill_rope_table(int64_t position, std::span<const double> frequencies, float* cos_sin) {
  for (size_t i = 0; i < frequencies.size(); ++i) fill_pair(position, frequencies[i], cos_sin + 2 * i);
}

void fill_rope_table(int64_t position, int64_t width, float base, float* cos_sin) {
  for (int64_t i = 0; i < width / 2; ++i) {
    fill_pair(position, frequency(i, width, static_cast<double>(base)), cos_sin + 2 * i);
  }
}

}  // namespace plm::model
