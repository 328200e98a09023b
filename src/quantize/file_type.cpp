#include "quantize/file_type.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace plm::quantize {
namespace {

using enum TensorType;

constexpr std::array kFileTypes = {
    FileType{"F32", 0, f32},        FileType{"F16", 1, f16},      FileType{"BF16", 32, bf16},
    FileType{"Q8_0", 7, q8_0},      FileType{"Q6_K", 18, q6_k},   FileType{"Q5_1", 9, q5_1},
    FileType{"Q5_K_M", 17, q5_k},   FileType{"Q5_K_S", 16, q5_k}, FileType{"Q5_0", 8, q5_0},
    FileType{"Q4_1", 3, q4_1},      FileType{"Q4_K_M", 15, q4_k}, FileType{"Q4_K_S", 14, q4_k},
    FileType{"IQ4_NL", 25, iq4_nl}, FileType{"Q4_0", 2, q4_0},    FileType{"Q3_K_L", 13, q3_k},
    FileType{"Q3_K_M", 12, q3_k},   FileType{"Q3_K_S", 11, q3_k}, FileType{"Q2_K", 10, q2_k},
};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

}  // namespace

std::span<const FileType> all_file_types() { return kFileTypes; }

const FileType* find_file_type(std::string_view name) {
  for (const std::string_view family : {"Q3_K", "Q4_K", "Q5_K"}) {
    if (equal_ignoring_case(name, family)) return find_file_type(std::string(family) + "_M");
  }
  for (const FileType& type : kFileTypes) {
    if (equal_ignoring_case(name, type.name)) return &type;
  }
  return nullptr;
}

std::string file_type_names() {
  std::string names;
  for (const FileType& type : kFileTypes) {
    if (!names.empty()) names += ", ";
    names += type.name;
  }
  return names;
}

}  // namespace plm::quantize
