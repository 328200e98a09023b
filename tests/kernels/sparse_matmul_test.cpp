// The product over live neurons of every instruction set, for every type of weights, against exact
// arithmetic.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "bounds.h"
#include "guarded.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

struct NeuronWeights {
  NeuronWeights(TensorType type, int64_t n_outputs, int64_t n_neurons, Random& random)
      : packed{.type = type, .n_outputs = n_outputs, .n_neurons = n_neurons},
        memory(static_cast<size_t>(packed.bytes()), type == TensorType::f32 ? 4 : 2) {
    const auto bytes = random_file_bytes(type, n_outputs * n_neurons, random);
    packed.data = memory.data();
    pack_neurons({type, bytes.data(), n_outputs, n_neurons}, 0, packed.n_units(), memory.data());
    for (int64_t o = 0; o < n_outputs; ++o) {
      const std::byte* row = bytes.data() + o * row_bytes(type, n_neurons);
      rows.emplace_back(static_cast<size_t>(n_neurons));
      quant::find_format(type)->decode(row, rows.back().data(), n_neurons);
      sizes.push_back(term_sizes(type, row, n_neurons));
    }
  }

  NeuronMajorMatrix packed;
  GuardedBytes memory;
  std::vector<std::vector<float>> rows, sizes;  // [output][neuron]
};

class SparseMatmul : public testing::TestWithParam<std::tuple<Isa, TensorType>> {
 protected:
  const Isa isa = std::get<0>(GetParam());
  const TensorType type = std::get<1>(GetParam());
  const bool plain = packed_format(type).codes == CodeKind::plain;
  const uint64_t seed = 200 + static_cast<uint64_t>(type);
  Random random{seed};
  testing::ScopedTrace trace{__FILE__, __LINE__, fmt::format("seed {}", seed)};
  const Kernels kernels = *select_kernels(isa_name(isa));
  const int64_t unit = std::max<int64_t>(tensor_type_info(type).block_elements, 32);

  std::vector<int32_t> some_neurons(int64_t n, int64_t n_neurons) {
    std::vector<int32_t> all(static_cast<size_t>(n_neurons)), chosen;
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
    std::sample(all.begin(), all.end(), std::back_inserter(chosen), n, random);
    return chosen;
  }

  void expect_near_exact(const NeuronWeights& w, const std::vector<int32_t>& live, int64_t begin,
                         int64_t end) {
    SCOPED_TRACE(fmt::format("{} of {} neurons, outputs {}..{} of {}", live.size(), w.packed.n_neurons, begin,
                             end, w.packed.n_outputs));
    const auto n_live = static_cast<int64_t>(live.size());
    const GuardedArray<int32_t> index(n_live);
    const GuardedArray<float> value(n_live);
    std::copy(live.begin(), live.end(), index.begin());
    float largest = 0;
    for (float& v : value) {
      v = uniform(random, 1e-4f, 1.0f) * (random() % 20 == 0 ? 30.0f : 1.0f);
      largest = std::max(largest, v);
    }
    const GuardedArray<float> y(w.packed.n_outputs);
    for (float& v : y) v = uniform(random, -3, 3);
    const std::vector<float> before(y.begin(), y.end());
    kernels.sparse_matmul({.weight = &w.packed,
                           .live = {.index = index.data(), .value = value.data(), .count = n_live},
                           .y = y.data(),
                           .begin = begin,
                           .end = end});
    // Plain numbers: one addition for each live neuron. Quantised: at most four for each block.
    const int64_t roundings = plain ? n_live + 4 : 4 * (w.packed.n_neurons / 32) + 10;
    const double rounding = plain ? 0 : input_rounding(largest / 65535, largest);
    for (int64_t o = 0; o < y.size(); ++o) {
      const double old = before[static_cast<size_t>(o)];
      if (o < begin || o >= end) {
        ASSERT_EQ(y[o], old) << "output " << o << " is not the kernel's";
        continue;
      }
      double exact = old, sum_of_sizes = std::fabs(old), input_error = 0;
      for (int64_t i = 0; i < n_live; ++i) {
        const auto j = static_cast<size_t>(index[i]);
        exact += static_cast<double>(value[i]) * w.rows[static_cast<size_t>(o)][j];
        sum_of_sizes += w.sizes[static_cast<size_t>(o)][j] * (value[i] + rounding);
        input_error += std::fabs(w.rows[static_cast<size_t>(o)][j]) * rounding;
      }
      ASSERT_NEAR(y[o], exact, gamma(roundings) * sum_of_sizes + input_error) << "output " << o;
    }
  }
};

TEST_P(SparseMatmul, IsWithinItsBoundForAnyNumberOfLiveNeurons) {
  const NeuronWeights w(type, 130, 3 * unit, random);
  const int64_t n = w.packed.n_neurons;
  for (const int64_t live : std::vector<int64_t>{0, 1, 2, 3, 4, 5, 8, 9, n / 10, n / 2, n - 1, n}) {
    expect_near_exact(w, some_neurons(live, n), 0, w.packed.n_outputs);
  }
  expect_near_exact(w, {0}, 0, w.packed.n_outputs);
  expect_near_exact(w, {static_cast<int32_t>(n - 1)}, 0, w.packed.n_outputs);
}

TEST_P(SparseMatmul, TakesBlocksThatAreAllLiveBesideBlocksThatAreNot) {
  const NeuronWeights w(type, 128, 8 * unit, random);
  std::vector<int32_t> live;
  for (int32_t i = 0; i < w.packed.n_neurons; ++i) {
    if (i / 32 % 3 == 1) live.push_back(i);
  }
  expect_near_exact(w, live, 0, 128);
}

TEST_P(SparseMatmul, TouchesOnlyItsOutputs) {
  for (const int64_t outputs : {1, 15, 16, 17, 100, 127, 128, 129, 200, 256, 300, 400}) {
    const NeuronWeights w(type, outputs, unit, random);
    const auto live = some_neurons(unit / 4, unit);
    expect_near_exact(w, live, 0, outputs);
    for (int64_t begin = 0; begin < outputs; begin += 128) {
      expect_near_exact(w, live, begin, std::min(begin + 128, outputs));
      expect_near_exact(w, live, begin, begin);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, SparseMatmul,
                         testing::Combine(testing::ValuesIn(available_isas()),
                                          testing::ValuesIn(weight_types())),
                         [](const auto& one) {
                           return test_name(fmt::format("{}_{}", isa_name(std::get<0>(one.param)),
                                                        tensor_type_name(std::get<1>(one.param))));
                         });

}  // namespace
}  // namespace plm::kernels::test
