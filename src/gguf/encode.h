// Appending the primitives of the GGUF format to a buffer. Internal to the folder.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "gguf/value.h"

namespace plm::gguf {

inline void append_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
void append_number(std::vector<std::byte>& out, T value) {
  static_assert(std::endian::native == std::endian::little, "values are written as they are in memory");
  append_bytes(out, std::as_bytes(std::span(&value, 1)));
}

inline void append_string(std::vector<std::byte>& out, std::string_view text) {
  append_number<uint64_t>(out, text.size());
  append_bytes(out, std::as_bytes(std::span(text)));
}

inline void append_type(std::vector<std::byte>& out, ValueType type) {
  append_number(out, static_cast<uint32_t>(type));
}

}  // namespace plm::gguf
