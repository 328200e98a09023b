#include "inspect/firing.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace plm::inspect {

namespace {
constexpr int kSizeShift = 16;
constexpr size_t kSizes = size_t{1} << (31 - kSizeShift);  // of numbers without a sign

float largest_of_size(size_t size) {
  const uint32_t bits = static_cast<uint32_t>(size << kSizeShift) | ((uint32_t{1} << kSizeShift) - 1);
  return std::bit_cast<float>(std::min(bits, std::bit_cast<uint32_t>(std::numeric_limits<float>::max())));
}

double share_of(int64_t part, int64_t all) {
  return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}
}  // namespace

int64_t LayerFiring::n_fired() const { return std::accumulate(fired_F.begin(), fired_F.end(), int64_t{0}); }

double LayerFiring::zero_rate() const { return 1.0 - share_of(n_fired(), n_tokens * n_neurons()); }

double LayerFiring::share_never_firing() const {
  return share_of(std::count(fired_F.begin(), fired_F.end(), 0), n_neurons());
}

double LayerFiring::share_firing_above(double share) const {
  const double least = share * static_cast<double>(n_tokens);
  return share_of(std::count_if(fired_F.begin(), fired_F.end(),
                                [&](int64_t n) { return static_cast<double>(n) > least; }),
                  n_neurons());
}

float LayerFiring::threshold_keeping(double share) const {
  const int64_t n_wanted = std::llround(share * static_cast<double>(n_fired()));
  int64_t n_kept = 0;
  for (size_t size = n_of_size.size(); size-- > 0;) {
    n_kept += n_of_size[size];
    if (n_kept > n_wanted) return largest_of_size(size);
  }
  return 0.0f;
}

FiringCounter::FiringCounter() {
  trace_ = [this](std::string_view name, int64_t layer, const float* data, int64_t rows, int64_t columns,
                  int64_t row_stride) {
    if (name == "ffn_act") add(layer, data, rows, columns, row_stride);
  };
}

void FiringCounter::add(int64_t layer, const float* data, int64_t rows, int64_t columns, int64_t row_stride) {
  if (layer >= std::ssize(layers_)) layers_.resize(static_cast<size_t>(layer) + 1);
  LayerFiring& counts = layers_[static_cast<size_t>(layer)];
  counts.fired_F.resize(static_cast<size_t>(columns));
  counts.n_of_size.resize(kSizes);
  counts.n_tokens += rows;
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = data + row * row_stride;
    for (int64_t i = 0; i < columns; ++i) {
      if (!(x[i] > 0)) continue;
      ++counts.fired_F[static_cast<size_t>(i)];
      ++counts.n_of_size[std::bit_cast<uint32_t>(x[i]) >> kSizeShift];
    }
  }
}

}  // namespace plm::inspect
