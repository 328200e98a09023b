// Every instruction set's sum of rows, for every type of weights, against the file's numbers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/half.h"
#include "bounds.h"
#include "guarded.h"
#include "kernels/pack.h"
#include "kernels/row_unit.h"
#include "weights.h"

namespace plm::kernels::test {
namespace {

class CombineRows : public testing::TestWithParam<std::tuple<Isa, TensorType>> {
 protected:
  const Isa isa = std::get<0>(GetParam());
  const TensorType type = std::get<1>(GetParam());
  const PackedFormat format = packed_format(type);
  const bool plain = format.codes == CodeKind::plain;
  Random random{300 + static_cast<uint64_t>(type)};
  const Kernels kernels = *select_kernels(isa_name(isa));

  int64_t unit() const { return std::max<int64_t>(tensor_type_info(type).block_elements, 32); }

  // The scale of a column of a row, and its code less the offset.
  struct Code {
    double scale, code;
  };
  Code code_of(const RowUnit& row, int64_t column) const {
    const double d = f16_to_f32(row.d);
    const auto code = static_cast<double>(row.codes[column]);
    const double value =
        format.codes == CodeKind::nibble_table ? kIq4Values[row.codes[column]] : code - format.offset;
    if (!format.super()) return {d, value};
    const uint8_t bits = row.scales[column / (format.scale_per_16() ? 16 : 32)];
    return {d * (format.has_minimum() ? static_cast<double>(bits) : static_cast<int8_t>(bits)), value};
  }

  // How far the rounding of the coefficients may take the sum of each column.
  std::vector<double> roundings(const std::byte* bytes, int64_t rows, int64_t cols,
                                const GuardedArray<float>& coefficients) const {
    std::vector<double> result(static_cast<size_t>(cols), 0.0);
    if (plain) return result;
    for (int64_t first = 0; first < cols; first += format.unit_cols()) {
      std::vector<RowUnit> units(static_cast<size_t>(rows));
      for (int64_t r = 0; r < rows; ++r) {
        read_row_unit(
            type, bytes + r * row_bytes(type, cols) + first / format.unit_cols() * row_unit_file_bytes(type),
            units[static_cast<size_t>(r)]);
      }
      for (int64_t k = 0; k < format.unit_cols(); ++k) {
        double largest = 0, codes = 0;
        for (int64_t r = 0; r < rows; ++r) {
          const Code one = code_of(units[static_cast<size_t>(r)], k);
          largest = std::max(largest, std::fabs(one.scale * coefficients[r]));
          codes += std::fabs(one.code);
        }
        result[static_cast<size_t>(first + k)] = codes * input_rounding(largest / 32512, largest);
      }
    }
    return result;
  }

  void expect_near_exact(int64_t rows, int64_t cols, bool add) {
    SCOPED_TRACE(fmt::format("{} x {}{}", rows, cols, add ? ", add" : ""));
    const auto bytes = random_file_bytes(type, rows * cols, random);
    PackedMatrix w{.type = type, .rows = rows, .cols = cols, .data = nullptr};
    const GuardedBytes memory(static_cast<size_t>(w.bytes()), type == TensorType::f32 ? 4 : 2);
    std::vector<int64_t> map(static_cast<size_t>(rows));
    std::iota(map.begin(), map.end(), 0);
    pack_groups({type, bytes.data(), rows, cols}, map, 0, w.n_groups(), memory.data());
    w.data = memory.data();
    const GuardedArray<float> coefficients(rows), y(cols);
    for (float& c : coefficients) c = uniform(random, -1, 1) * (random() % 20 == 0 ? 20.0f : 1.0f);
    for (float& v : y) v = uniform(random, -3, 3);
    const std::vector<float> before(y.begin(), y.end());
    kernels.combine_rows({.weight = &w, .coefficient_R = coefficients.data(), .y_K = y.data(), .add = add});

    const std::vector<double> rounding = roundings(bytes.data(), rows, cols, coefficients);
    std::vector<double> exact(static_cast<size_t>(cols)), sum_of_sizes(static_cast<size_t>(cols));
    for (int64_t r = 0; r < rows; ++r) {
      const std::byte* row = bytes.data() + r * row_bytes(type, cols);
      std::vector<float> values(static_cast<size_t>(cols));
      quant::find_format(type)->decode(row, values.data(), cols);
      const std::vector<float> sizes = term_sizes(type, row, cols);
      for (size_t k = 0; k < values.size(); ++k) {
        exact[k] += static_cast<double>(coefficients[r]) * values[k];
        sum_of_sizes[k] += std::fabs(coefficients[r]) * sizes[k];
      }
    }
    for (size_t k = 0; k < exact.size(); ++k) {
      const double start = add ? before[k] : 0.0;
      const double bound = gamma(rows + 10) * (sum_of_sizes[k] + std::fabs(start)) + rounding[k];
      ASSERT_NEAR(y[static_cast<int64_t>(k)], start + exact[k], bound) << "column " << k;
    }
  }
};

TEST_P(CombineRows, IsWithinItsBoundForAnyNumberOfRows) {
  for (const int64_t rows : {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 48, 128, 200, 256}) {
    for (const bool add : {false, true}) expect_near_exact(rows, unit(), add);
  }
}

TEST_P(CombineRows, IsWithinItsBoundForAnyWidth) {
  std::vector<int64_t> widths;
  for (const int64_t units : {2, 3, 16}) widths.push_back(units * unit());
  if (plain) widths.insert(widths.end(), {1, 2, 5, 17, 63});
  for (const int64_t cols : widths) expect_near_exact(20, cols, false);
}

TEST_P(CombineRows, OfZeroCoefficientsIsZero) {
  const int64_t rows = 5, cols = unit();
  const auto bytes = random_file_bytes(type, rows * cols, random);
  PackedMatrix w{.type = type, .rows = rows, .cols = cols, .data = nullptr};
  const GuardedBytes memory(static_cast<size_t>(w.bytes()), type == TensorType::f32 ? 4 : 2);
  std::vector<int64_t> map = {0, 1, 2, 3, 4};
  pack_groups({type, bytes.data(), rows, cols}, map, 0, w.n_groups(), memory.data());
  w.data = memory.data();
  const GuardedArray<float> coefficients(rows), y(cols);
  for (float& c : coefficients) c = 0;
  kernels.combine_rows({.weight = &w, .coefficient_R = coefficients.data(), .y_K = y.data()});
  for (const float v : y) ASSERT_EQ(v, 0.0f);
}

INSTANTIATE_TEST_SUITE_P(All, CombineRows,
                         testing::Combine(testing::ValuesIn(available_isas()),
                                          testing::ValuesIn(weight_types())),
                         [](const auto& one) {
                           return test_name(fmt::format("{}_{}", isa_name(std::get<0>(one.param)),
                                                        tensor_type_name(std::get<1>(one.param))));
                         });

}  // namespace
}  // namespace plm::kernels::test
