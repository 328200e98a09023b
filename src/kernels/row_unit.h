// One unit (32 or 256 columns) of one row of a file's tensor, taken apart into integers: what both
// packed layouts are made from. Internal to kernels/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/tensor_type.h"

namespace plm::kernels {

struct RowUnit {
  uint16_t d = 0;           // f16 bits
  uint16_t dmin = 0;        // f16 bits: minimum (32 columns) or its scale (256 columns)
  uint8_t scales[16] = {};  // sub-scales, signed ones as two's complement
  uint8_t mins[16] = {};
  uint8_t codes[256] = {};
};

// Bytes of one unit in the file.
int64_t row_unit_file_bytes(TensorType type);

// Takes the unit at `bytes` apart. For types with a packed format that is not plain.
void read_row_unit(TensorType type, const std::byte* bytes, RowUnit& unit);

// The numbers of a unit: `n` = unit columns. Exactly what decoding the file's block gives.
void decode_row_unit(TensorType type, const RowUnit& unit, float* out);

}  // namespace plm::kernels
