// The named kinds of quantised file ("Q4_K_M", "F16"), as llama.cpp names and numbers them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/tensor_type.h"

namespace plm::quantize {

struct FileType {
  std::string_view name;
  uint32_t id;      // general.file_type
  TensorType main;  // of tensors that no rule of the name singles out (type_rules.h)
};

// In order of size, the largest first.
std::span<const FileType> all_file_types();

// By name in upper or lower case; "Q3_K", "Q4_K" and "Q5_K" mean the _M kinds. Null when not known.
const FileType* find_file_type(std::string_view name);

// For messages and help: "F32, F16, ...".
std::string file_type_names();

}  // namespace plm::quantize
