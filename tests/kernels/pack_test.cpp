// Repacking loses nothing: what comes back out of a packed layout is what the file decodes to, bit for
// bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "guarded.h"
#include "kernels/kernels.h"
#include "kernels/neuron_major.h"
#include "kernels/pack.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

class Packing : public testing::TestWithParam<TensorType> {
 protected:
  const TensorType type = GetParam();
  const uint64_t seed = 17 + static_cast<uint64_t>(type);
  Random random{seed};
  testing::ScopedTrace trace{__FILE__, __LINE__, fmt::format("seed {}", seed)};

  // What the encoder writes, where there is one.
  std::vector<std::byte> encoded_file_bytes(int64_t n) {
    std::vector<std::byte> bytes(static_cast<size_t>(row_bytes(type, n)));
    const quant::Format& format = *quant::find_format(type);
    if (format.encode == nullptr) return random_file_bytes(type, n, random);
    format.encode(random_floats(random, n).data(), bytes.data(), n);
    return bytes;
  }

  int64_t block() const { return tensor_type_info(type).block_elements; }

  std::vector<float> decoded(const FileMatrix& file, int64_t row) const {
    std::vector<float> out(static_cast<size_t>(file.cols));
    quant::find_format(type)->decode(file.data + row * row_bytes(type, file.cols), out.data(), file.cols);
    return out;
  }

  void expect_packed_rows(const FileMatrix& file, const std::vector<int64_t>& row_map) {
    const auto n_rows = static_cast<int64_t>(row_map.size());
    PackedMatrix packed{.type = type, .rows = n_rows, .cols = file.cols};
    const GuardedBytes memory(static_cast<size_t>(packed.bytes()), 64);
    packed.data = memory.data();
    // Two calls, as two threads would.
    const int64_t middle = packed.n_groups() / 2;
    pack_groups(file, row_map, middle, packed.n_groups(), memory.data());
    pack_groups(file, row_map, 0, middle, memory.data());
    std::vector<float> row(static_cast<size_t>(file.cols));
    for (int64_t r = 0; r < packed.n_groups() * kGroupRows; ++r) {
      unpack_row(packed, r, row.data());
      const int64_t from = r < n_rows ? row_map[static_cast<size_t>(r)] : -1;
      if (from < 0) {
        EXPECT_EQ(std::count(row.begin(), row.end(), 0.0f), file.cols) << "row " << r;
      } else {
        EXPECT_EQ(std::memcmp(row.data(), decoded(file, from).data(), row.size() * sizeof(float)), 0)
            << "row " << r << " from " << from;
      }
    }
  }

  void expect_packed_neurons(const FileMatrix& file) {
    NeuronMajorMatrix packed{.type = type, .n_outputs = file.rows, .n_neurons = file.cols};
    const GuardedBytes memory(static_cast<size_t>(packed.bytes()), 64);
    packed.data = memory.data();
    const int64_t middle = packed.n_units() / 2;
    pack_neurons(file, middle, packed.n_units(), memory.data());
    pack_neurons(file, 0, middle, memory.data());
    std::vector<std::vector<float>> rows;
    for (int64_t o = 0; o < file.rows; ++o) rows.push_back(decoded(file, o));
    std::vector<float> neuron(static_cast<size_t>(file.rows)), expected(neuron.size());
    for (int64_t j = 0; j < file.cols; ++j) {
      unpack_neuron(packed, j, neuron.data());
      for (size_t o = 0; o < expected.size(); ++o) expected[o] = rows[o][static_cast<size_t>(j)];
      EXPECT_EQ(std::memcmp(neuron.data(), expected.data(), neuron.size() * sizeof(float)), 0)
          << "neuron " << j << " of " << file.cols << " x " << file.rows;
    }
  }

  std::vector<int64_t> in_order(int64_t n) const {
    std::vector<int64_t> map(static_cast<size_t>(n));
    std::iota(map.begin(), map.end(), 0);
    return map;
  }
};

TEST_P(Packing, OfRowsKeepsEveryCodeAndScaleThereIs) {
  for (const int64_t rows : {1, 15, 16, 17, 40}) {
    const int64_t cols = 3 * std::max<int64_t>(block(), 32);
    for (const auto& bytes :
         {random_file_bytes(type, rows * cols, random), encoded_file_bytes(rows * cols)}) {
      expect_packed_rows({type, bytes.data(), rows, cols}, in_order(rows));
    }
  }
}

TEST_P(Packing, OfRowsFollowsAMapWithHolesPermutationsAndRepeats) {
  const int64_t rows = 37, cols = 2 * std::max<int64_t>(block(), 32);
  const auto bytes = random_file_bytes(type, rows * cols, random);
  std::vector<int64_t> map = in_order(rows);
  std::shuffle(map.begin(), map.end(), random);
  for (size_t i = 0; i < map.size(); i += 5) map[i] = -1;
  map.push_back(map[1]);
  expect_packed_rows({type, bytes.data(), rows, cols}, map);
}

TEST_P(Packing, OfNeuronsKeepsEveryCodeAndScaleThereIs) {
  for (const int64_t outputs : {1, 100, 128, 130, 300}) {
    const int64_t neurons = 2 * std::max<int64_t>(block(), 32);
    const int64_t n = outputs * neurons;
    for (const auto& bytes : {random_file_bytes(type, n, random), encoded_file_bytes(n)}) {
      expect_packed_neurons({type, bytes.data(), outputs, neurons});
    }
  }
}

// For each instruction set, over outputs that end within a chunk, a group or with both.
TEST_P(Packing, OfNeuronsTurnsBackIntoRows) {
  for (const Isa isa : available_isas()) {
    const Kernels kernels = *select_kernels(isa_name(isa));
    for (const int64_t n_outputs : {16, 100, 128, 160, 300}) {
      SCOPED_TRACE(fmt::format("{}, {} outputs", isa_name(isa), n_outputs));
      const int64_t n_neurons = 3 * std::max<int64_t>(block(), 32);
      const std::vector<std::byte> bytes = encoded_file_bytes(n_outputs * n_neurons);
      const FileMatrix file{type, bytes.data(), n_outputs, n_neurons};
      NeuronMajorMatrix neurons{.type = type, .n_outputs = n_outputs, .n_neurons = n_neurons};
      const GuardedBytes memory(static_cast<size_t>(neurons.bytes()), 64);
      pack_neurons(file, 0, neurons.n_units(), memory.data());
      neurons.data = memory.data();
      PackedMatrix rows{.type = type, .rows = n_outputs, .cols = n_neurons};
      const GuardedBytes turned(static_cast<size_t>(rows.bytes()), 64);
      rows.data = turned.data();
      for (int64_t chunk = 0; chunk < neurons.padded_outputs() / kNeuronMajorOutputs; ++chunk) {
        const int64_t middle = neurons.n_units() / 2;  // two calls, as two threads would
        for (const auto& [begin, end] :
             {std::pair{middle, neurons.n_units()}, std::pair{int64_t{0}, middle}}) {
          kernels.turn_neurons({.weight = &neurons,
                                .chunk = chunk,
                                .unit_begin = begin,
                                .unit_end = end,
                                .out = turned.data()});
        }
      }
      std::vector<float> row(static_cast<size_t>(n_neurons));
      for (int64_t r = 0; r < n_outputs; ++r) {
        unpack_row(rows, r, row.data());
        EXPECT_EQ(std::memcmp(row.data(), decoded(file, r).data(), row.size() * sizeof(float)), 0)
            << "row " << r;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllTypes, Packing, testing::ValuesIn(weight_types()),
                         [](const auto& one) { return test_name(tensor_type_name(one.param)); });

TEST(PackableTypes, AreThoseThatQuantCanDecode) {
  for (const TensorTypeInfo& info : all_tensor_types()) {
    EXPECT_EQ(is_packable(info.type), quant::find_format(info.type) != nullptr) << info.name;
  }
}

}  // namespace
}  // namespace plm::kernels::test
