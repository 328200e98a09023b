// Random weights in every format, as a file has them, and how large the terms of a product with them
// are (what rounding errors are proportional to).
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/half.h"
#include "kernels/kernels.h"
#include "kernels/row_unit.h"
#include "quant/formats.h"

namespace plm::kernels::test {

using Random = std::mt19937_64;

inline const std::vector<TensorType>& weight_types() {
  static const std::vector<TensorType> types = {
      TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q4_0,   TensorType::q4_1,
      TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k,   TensorType::q3_k,
      TensorType::q4_k, TensorType::q5_k, TensorType::q6_k, TensorType::iq4_nl, TensorType::iq4_xs};
  return types;
}

inline float uniform(Random& random, float low, float high) {
  return std::uniform_real_distribution<float>(low, high)(random);
}

inline std::vector<float> random_floats(Random& random, int64_t n, float low = -1, float high = 1) {
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = uniform(random, low, high);
  return out;
}

// Where the f16 numbers of a block of the file lie: the scale, and the minimum or its scale (-1: none).
struct HalfPlaces {
  int64_t d, minimum;
};

inline HalfPlaces half_places(TensorType type) {
  switch (type) {
    case TensorType::q4_1:
    case TensorType::q5_1:
    case TensorType::q4_k:
    case TensorType::q5_k:
      return {0, 2};
    case TensorType::q2_k:
      return {80, 82};
    case TensorType::q3_k:
      return {108, -1};
    case TensorType::q6_k:
      return {208, -1};
    default:
      return {0, -1};
  }
}

// Every code and sub-scale there is: bytes are random, only the f16 numbers are kept sane (of either
// sign). Plain numbers are uniform in -1..1.
inline std::vector<std::byte> random_file_bytes(TensorType type, int64_t n, Random& random) {
  std::vector<std::byte> bytes(static_cast<size_t>(row_bytes(type, n)));
  if (packed_format(type).codes == CodeKind::plain) {
    quant::find_format(type)->encode(random_floats(random, n).data(), bytes.data(), n);
    return bytes;
  }
  for (std::byte& b : bytes) b = std::byte{static_cast<uint8_t>(random())};
  const TensorTypeInfo& info = tensor_type_info(type);
  const HalfPlaces places = half_places(type);
  for (int64_t at = 0; at < static_cast<int64_t>(bytes.size()); at += info.block_bytes) {
    for (const int64_t place : {places.d, places.minimum}) {
      if (place < 0) continue;
      const uint16_t bits = f32_to_f16(uniform(random, -0.02f, 0.02f));
      std::memcpy(bytes.data() + at + place, &bits, sizeof bits);
    }
  }
  return bytes;
}

// |scale (code - offset)| + |minimum| for each number of a row: kernels sum the two apart, so their
// errors are proportional to this and not to the number itself.
inline std::vector<float> term_sizes(TensorType type, const std::byte* row, int64_t cols) {
  std::vector<float> sizes(static_cast<size_t>(cols));
  quant::find_format(type)->decode(row, sizes.data(), cols);
  const PackedFormat format = packed_format(type);
  for (int64_t k = 0; k < cols; ++k) {
    float minimum = 0;
    if (format.has_minimum()) {
      RowUnit unit;
      read_row_unit(type, row + k / format.unit_cols() * row_unit_file_bytes(type), unit);
      minimum = f16_to_f32(unit.dmin);
      const int64_t in_unit = k % format.unit_cols();
      const int64_t sub = in_unit / (format.scale_per_16() ? 16 : 32);
      if (format.super()) minimum *= unit.mins[sub];
    }
    sizes[static_cast<size_t>(k)] = std::fabs(sizes[static_cast<size_t>(k)]) + 2 * std::fabs(minimum);
  }
  return sizes;
}

// The integer a number was rounded to; `at` counts numbers from the start of the planes.
inline int rounded_integer(const Activations& x, int64_t at) {
  return x.precision == Precision::fine ? 256 * x.high[at] + x.low[at] : +x.high[at];
}

inline std::string test_name(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c == '.' || c == '-') c = '_';
  }
  return out;
}

}  // namespace plm::kernels::test
