#include "quantize/neuron_order.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

namespace plm::quantize {
namespace {

using Tokens = std::array<uint64_t, kFiringWords>;

const uint64_t* bits_of(std::span<const uint64_t> firing, int32_t neuron) {
  return firing.data() + static_cast<size_t>(neuron) * kFiringWords;
}

int64_t count(const uint64_t* bits) {
  int64_t n = 0;
  for (int64_t i = 0; i < kFiringWords; ++i) n += std::popcount(bits[i]);
  return n;
}

int64_t count_common(const uint64_t* a, const uint64_t* b) {
  int64_t n = 0;
  for (int64_t i = 0; i < kFiringWords; ++i) n += std::popcount(a[i] & b[i]);
  return n;
}

}  // namespace

std::vector<int32_t> order_neurons(std::span<const uint64_t> firing, int64_t n_neurons) {
  std::vector<int64_t> rate(static_cast<size_t>(n_neurons));
  std::vector<int32_t> left(rate.size());
  std::iota(left.begin(), left.end(), 0);
  for (size_t i = 0; i < rate.size(); ++i) rate[i] = count(bits_of(firing, static_cast<int32_t>(i)));
  // The busiest first: a block begins with the busiest neuron left, and takes those most like the
  // block so far (of the tokens either fires at, the share both do).
  std::stable_sort(left.begin(), left.end(), [&](int32_t a, int32_t b) {
    return rate[static_cast<size_t>(a)] > rate[static_cast<size_t>(b)];
  });
  std::vector<int32_t> order;
  order.reserve(left.size());
  while (!left.empty()) {
    Tokens block{};
    int64_t block_rate = 0;
    for (int64_t place = 0; place < kNeuronBlock && !left.empty(); ++place) {
      size_t best = 0;
      double best_likeness = -1;
      for (size_t i = 0; i < left.size() && place > 0; ++i) {
        const int64_t common = count_common(block.data(), bits_of(firing, left[i]));
        const int64_t either = block_rate + rate[static_cast<size_t>(left[i])] - common;
        const double likeness = either > 0 ? static_cast<double>(common) / static_cast<double>(either) : 1;
        if (likeness <= best_likeness) continue;
        best_likeness = likeness;
        best = i;
      }
      const uint64_t* bits = bits_of(firing, left[best]);
      for (size_t i = 0; i < block.size(); ++i) block[i] |= bits[i];
      block_rate = count(block.data());
      order.push_back(left[best]);
      left.erase(left.begin() + static_cast<ptrdiff_t>(best));
    }
  }
  return order;
}

double live_block_share(std::span<const uint64_t> firing, std::span<const int32_t> order, int64_t n_tokens) {
  int64_t n_live = 0, n_blocks = 0;
  for (size_t begin = 0; begin < order.size(); begin += kNeuronBlock, ++n_blocks) {
    Tokens block{};
    const size_t end = std::min(begin + kNeuronBlock, order.size());
    for (size_t i = begin; i < end; ++i) {
      const uint64_t* bits = bits_of(firing, order[i]);
      for (size_t word = 0; word < block.size(); ++word) block[word] |= bits[word];
    }
    n_live += count(block.data());
  }
  return static_cast<double>(n_live) / (static_cast<double>(n_blocks) * static_cast<double>(n_tokens));
}

}  // namespace plm::quantize
