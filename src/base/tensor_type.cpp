#include "base/tensor_type.h"

#include <array>
#include <cctype>

#include "base/error.h"

namespace plm {
namespace {

constexpr std::array kTypes = {
    TensorTypeInfo{TensorType::f32, "F32", 1, 4},
    TensorTypeInfo{TensorType::f16, "F16", 1, 2},
    TensorTypeInfo{TensorType::q4_0, "Q4_0", 32, 2 + 16},
    TensorTypeInfo{TensorType::q4_1, "Q4_1", 32, 2 + 2 + 16},
    TensorTypeInfo{TensorType::q5_0, "Q5_0", 32, 2 + 4 + 16},
    TensorTypeInfo{TensorType::q5_1, "Q5_1", 32, 2 + 2 + 4 + 16},
    TensorTypeInfo{TensorType::q8_0, "Q8_0", 32, 2 + 32},
    TensorTypeInfo{TensorType::q8_1, "Q8_1", 32, 2 + 2 + 32},
    TensorTypeInfo{TensorType::q2_k, "Q2_K", 256, 16 + 64 + 2 + 2},
    TensorTypeInfo{TensorType::q3_k, "Q3_K", 256, 32 + 64 + 12 + 2},
    TensorTypeInfo{TensorType::q4_k, "Q4_K", 256, 2 + 2 + 12 + 128},
    TensorTypeInfo{TensorType::q5_k, "Q5_K", 256, 2 + 2 + 12 + 32 + 128},
    TensorTypeInfo{TensorType::q6_k, "Q6_K", 256, 128 + 64 + 16 + 2},
    TensorTypeInfo{TensorType::q8_k, "Q8_K", 256, 4 + 256 + 32},
    TensorTypeInfo{TensorType::iq2_xxs, "IQ2_XXS", 256, 66},
    TensorTypeInfo{TensorType::iq2_xs, "IQ2_XS", 256, 74},
    TensorTypeInfo{TensorType::iq3_xxs, "IQ3_XXS", 256, 98},
    TensorTypeInfo{TensorType::iq1_s, "IQ1_S", 256, 50},
    TensorTypeInfo{TensorType::iq4_nl, "IQ4_NL", 32, 2 + 16},
    TensorTypeInfo{TensorType::iq3_s, "IQ3_S", 256, 110},
    TensorTypeInfo{TensorType::iq2_s, "IQ2_S", 256, 82},
    TensorTypeInfo{TensorType::iq4_xs, "IQ4_XS", 256, 2 + 2 + 4 + 128},
    TensorTypeInfo{TensorType::i8, "I8", 1, 1},
    TensorTypeInfo{TensorType::i16, "I16", 1, 2},
    TensorTypeInfo{TensorType::i32, "I32", 1, 4},
    TensorTypeInfo{TensorType::i64, "I64", 1, 8},
    TensorTypeInfo{TensorType::f64, "F64", 1, 8},
    TensorTypeInfo{TensorType::iq1_m, "IQ1_M", 256, 56},
    TensorTypeInfo{TensorType::bf16, "BF16", 1, 2},
    TensorTypeInfo{TensorType::tq1_0, "TQ1_0", 256, 54},
    TensorTypeInfo{TensorType::tq2_0, "TQ2_0", 256, 66},
    TensorTypeInfo{TensorType::mxfp4, "MXFP4", 32, 17},
};

}  // namespace

std::span<const TensorTypeInfo> all_tensor_types() { return kTypes; }

std::optional<TensorType> tensor_type_from_id(uint32_t id) {
  for (const TensorTypeInfo& info : kTypes) {
    if (static_cast<uint32_t>(info.type) == id) return info.type;
  }
  return std::nullopt;
}

std::optional<TensorType> tensor_type_from_name(std::string_view name) {
  for (const TensorTypeInfo& info : kTypes) {
    if (info.name.size() != name.size()) continue;
    bool equal = true;
    for (size_t i = 0; i < name.size() && equal; ++i) {
      equal = std::toupper(static_cast<unsigned char>(name[i])) == info.name[i];
    }
    if (equal) return info.type;
  }
  return std::nullopt;
}

const TensorTypeInfo& tensor_type_info(TensorType type) {
  for (const TensorTypeInfo& info : kTypes) {
    if (info.type == type) return info;
  }
  check_failed("tensor type is in the table", __FILE__, __LINE__);
}

}  // namespace plm
