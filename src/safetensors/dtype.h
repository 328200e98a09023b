// The element types of safetensors files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"

namespace plm::safetensors {

enum class DType { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };

// The name in the file: "BOOL", "U8", "F32", "BF16".
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);
// Bytes of one element.
uint64_t dtype_bytes(DType dtype);

// Bytes of a tensor of this shape, all sizes at least 0; the error says when they pass 2^63.
Result<uint64_t> tensor_bytes(DType dtype, std::span<const int64_t> shape);

}  // namespace plm::safetensors
