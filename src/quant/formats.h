// The table of number formats this project computes with: how a row of blocks becomes floats and
// back. The layout of each format is in the file of its name; docs/formats/quant.md has the overview.
#pragma once

#include <cstdint>
#include <span>

#include "base/tensor_type.h"

namespace plm::quant {

// All functions are pure: no state, no allocation, any number of threads at once.
//
// n counts elements and is a multiple of the format's block (tensor_type_info). Packed data is
// aligned to 2 bytes (F32: 4); `in`, `out` and `importance` are plain float arrays of length n.
struct Format {
  TensorType type;

  // Equal to gguf.quants.dequantize of the `gguf` Python package bit for bit.
  void (*decode)(const void* blocks, float* out, int64_t n);

  // Rounds to the nearest packed values; null where the project does not write the format (IQ4_XS).
  // Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, F16 and BF16 equal gguf.quants.quantize bit for bit; the K formats and
  // IQ4_NL search for the scales of least squared error. Deterministic. The numbers must be finite; a block
  // whose scale would not fit in f16 saturates instead of becoming infinite.
  void (*encode)(const float* in, void* blocks, int64_t n);

  // The scales of least squared error, found by a search, where the error of element i counts
  // importance[i] >= 0 times (null: all alike). Null for formats that have no choice of scale to make.
  void (*encode_weighted)(const float* in, const float* importance, void* blocks, int64_t n);
};

// Formats in order of their number in GGUF.
std::span<const Format> all_formats();

// Null when the project cannot compute with the type.
const Format* find_format(TensorType type);

}  // namespace plm::quant
