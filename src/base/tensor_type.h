// The element types of GGUF tensors: their numbers in the file, names and block sizes. What the
// blocks hold is the business of quant/. Source: ggml.h and ggml-common.h of llama.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace plm {

// The values are those written in GGUF files.
enum class TensorType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;   // as llama.cpp prints it: "F32", "Q4_K", "IQ4_NL"
  int64_t block_elements;  // elements in one block, 1 for plain numbers
  int64_t block_bytes;
};

// All known types, in order of their number.
std::span<const TensorTypeInfo> all_tensor_types();

// The type with this number in a file, or nothing if it is not known.
std::optional<TensorType> tensor_type_from_id(uint32_t id);

// By name, upper or lower case: "q4_0", "Q4_0".
std::optional<TensorType> tensor_type_from_name(std::string_view name);

const TensorTypeInfo& tensor_type_info(TensorType type);

inline std::string_view tensor_type_name(TensorType type) { return tensor_type_info(type).name; }

// Bytes of a row of n elements; n must be a multiple of the block, as every caller has checked.
inline int64_t row_bytes(TensorType type, int64_t n_elements) {
  const TensorTypeInfo& info = tensor_type_info(type);
  return n_elements / info.block_elements * info.block_bytes;
}

}  // namespace plm
