#include "safetensors/dtype.h"

#include <array>
#include <limits>

namespace plm::safetensors {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  uint64_t bytes;
};

constexpr std::array kDTypes = {
    DTypeInfo{DType::boolean, "BOOL", 1}, DTypeInfo{DType::u8, "U8", 1},     DTypeInfo{DType::i8, "I8", 1},
    DTypeInfo{DType::u16, "U16", 2},      DTypeInfo{DType::i16, "I16", 2},   DTypeInfo{DType::u32, "U32", 4},
    DTypeInfo{DType::i32, "I32", 4},      DTypeInfo{DType::u64, "U64", 8},   DTypeInfo{DType::i64, "I64", 8},
    DTypeInfo{DType::f16, "F16", 2},      DTypeInfo{DType::bf16, "BF16", 2}, DTypeInfo{DType::f32, "F32", 4},
    DTypeInfo{DType::f64, "F64", 8},
};

// The table is in the order of the enum.
const DTypeInfo& dtype_info(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }

}  // namespace

std::string_view dtype_name(DType dtype) { return dtype_info(dtype).name; }

uint64_t dtype_bytes(DType dtype) { return dtype_info(dtype).bytes; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return info.dtype;
  }
  return std::nullopt;
}

Result<uint64_t> tensor_bytes(DType dtype, std::span<const int64_t> shape) {
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  uint64_t bytes = dtype_bytes(dtype);
  for (const int64_t size : shape) {
    if (size < 0)
      return make_error(ErrorKind::bad_data, "shape: found a size of {}, expected at least 0", size);
    const auto factor = static_cast<uint64_t>(size);
    if (factor != 0 && bytes > kMax / factor) {
      return make_error(ErrorKind::bad_data, "shape: found a size of {}, expected a product below 2^63 bytes",
                        size);
    }
    bytes *= factor;
  }
  return bytes;
}

}  // namespace plm::safetensors
