// The codes of packed blocks as numbers to work on: element i stands for step[i] * code[i] + offset[i]. For
// choosing other codes under the same scales.
#pragma once

#include <cstdint>

#include "base/tensor_type.h"

namespace plm::quant {

struct CodeFormat {
  TensorType type;
  int largest_code;
  // n is a multiple of the format's block; codes, step and offset hold n.
  void (*read)(const void* blocks, uint8_t* codes, float* step, float* offset, int64_t n);
  // Replaces the codes and leaves the scales.
  void (*write)(const uint8_t* codes, void* blocks, int64_t n);
};

// Null for formats whose values are not evenly spaced or that have no codes.
const CodeFormat* find_code_format(TensorType type);

}  // namespace plm::quant
