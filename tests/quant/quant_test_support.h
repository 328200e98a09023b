// What the tests of the block formats share: golden files and reproducible numbers.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "quant/formats.h"

namespace plm::quant {

inline std::string read_golden(const std::string& name) {
  std::ifstream file(std::string(PLM_SOURCE_DIR) + "/tests/data/quant/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<float> floats_of(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

inline std::vector<float> gaussian(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

inline std::vector<uint8_t> encoded(const Format& format, const std::vector<float>& values,
                                    const float* importance = nullptr) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<uint8_t> blocks(static_cast<size_t>(row_bytes(format.type, n)));
  if (importance != nullptr) {
    format.encode_weighted(values.data(), importance, blocks.data(), n);
  } else {
    format.encode(values.data(), blocks.data(), n);
  }
  return blocks;
}

inline std::vector<float> decoded(const Format& format, const std::vector<uint8_t>& blocks) {
  const TensorTypeInfo& info = tensor_type_info(format.type);
  const int64_t n = static_cast<int64_t>(blocks.size()) / info.block_bytes * info.block_elements;
  std::vector<float> values(static_cast<size_t>(n));
  format.decode(blocks.data(), values.data(), n);
  return values;
}

// Equal to the last bit, so that 0 and -0 differ and NaN equals itself.
inline bool same_bits(const float* a, const float* b, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) return false;
  }
  return true;
}

// Sum of squared errors over sum of squares, each weighted if weights are given.
inline double relative_error(const std::vector<float>& exact, const std::vector<float>& rounded,
                             const float* weights = nullptr) {
  double error = 0, total = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double weight = weights != nullptr ? weights[i] : 1;
    error += weight * std::pow(static_cast<double>(exact[i]) - rounded[i], 2);
    total += weight * std::pow(static_cast<double>(exact[i]), 2);
  }
  return error / total;
}

inline std::string format_name(const Format& format) { return std::string(tensor_type_name(format.type)); }

}  // namespace plm::quant
