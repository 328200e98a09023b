#include "quantize/refine.h"

#include <algorithm>
#include <cmath>

#include "quant/codes.h"
#include "quant/lanes.h"

namespace plm::quantize {
namespace {

// Of the mean of the diagonal, added to it.
constexpr double kDamping = 0.01;
constexpr int kMostRounds = 8;

struct Stretch {
  int64_t n;
  const float* moments;  // [n][n]
  const float* values;
  const float* step;
  const float* offset;
  float largest_code;
  uint8_t* codes;
  float* gradient;  // [n] room: H e
};

// One weight after the other to its best code; true when some code changed.
bool go_round(const Stretch& s) {
  bool changed = false;
  for (int64_t i = 0; i < s.n; ++i) {
    const float curvature = s.moments[i * s.n + i], step = s.step[i];
    if (!(curvature > 0) || step == 0.0f) continue;
    // The error that would be best is e_i - gradient_i / H_ii, so the code moves by that over the step.
    const auto code = static_cast<float>(s.codes[i]);
    const float best =
        std::clamp(std::nearbyint(code - s.gradient[i] / (curvature * step)), 0.0f, s.largest_code);
    if (best == code) continue;
    const float move = (best - code) * step;
    for (int64_t j = 0; j < s.n; ++j) s.gradient[j] += s.moments[i * s.n + j] * move;
    s.codes[i] = static_cast<uint8_t>(best);
    changed = true;
  }
  return changed;
}

void refine_stretch(const Stretch& s) {
  std::fill_n(s.gradient, s.n, 0.0f);
  for (int64_t i = 0; i < s.n; ++i) {
    const float error = s.step[i] * static_cast<float>(s.codes[i]) + s.offset[i] - s.values[i];
    for (int64_t j = 0; j < s.n; ++j) s.gradient[j] += s.moments[i * s.n + j] * error;
  }
  for (int round = 0; round < kMostRounds && go_round(s); ++round) {
  }
}

}  // namespace

SecondMoments::SecondMoments(const Correlations& correlations, const std::vector<float>& mean_squares)
    : block_(correlations.block), values_(correlations.coefficient) {
  const auto n = static_cast<size_t>(block_);
  for (size_t begin = 0; begin < values_.size(); begin += n * n) {
    const float* squares = mean_squares.data() + begin / n;
    double mean = 0;
    for (size_t i = 0; i < n; ++i) mean += squares[i];
    const auto damping = static_cast<float>(kDamping * mean / static_cast<double>(n));
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) values_[begin + i * n + j] *= std::sqrt(squares[i] * squares[j]);
      values_[begin + i * n + i] += damping;
    }
  }
}

void refine_codes(const float* values, int64_t width, TensorType type, const SecondMoments& moments,
                  void* blocks) {
  const quant::CodeFormat* format = quant::find_code_format(type);
  const int64_t n = moments.block();
  if (format == nullptr || n == 0 || n % tensor_type_info(type).block_elements != 0) return;
  std::vector<uint8_t> codes(static_cast<size_t>(n));
  std::vector<float> step(codes.size()), offset(codes.size()), gradient(codes.size());
  auto* bytes = static_cast<std::byte*>(blocks);
  for (int64_t begin = 0; begin < width; begin += n, bytes += row_bytes(type, n)) {
    format->read(bytes, codes.data(), step.data(), offset.data(), n);
    quant::with_widest_vectors([&] {
      refine_stretch({.n = n,
                      .moments = moments.stretch(begin / n),
                      .values = values + begin,
                      .step = step.data(),
                      .offset = offset.data(),
                      .largest_code = static_cast<float>(format->largest_code),
                      .codes = codes.data(),
                      .gradient = gradient.data()});
    });
    format->write(codes.data(), bytes, n);
  }
}

}  // namespace plm::quantize
