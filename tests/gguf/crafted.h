// GGUF files made by hand, byte for byte, so that tests can break any field. Independent of the writer.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf_file.h"

namespace plm::gguf::crafted {

template <class T>
std::string number(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::string u8(uint8_t value) { return number(value); }
inline std::string u32(uint32_t value) { return number(value); }
inline std::string u64(uint64_t value) { return number(value); }
inline std::string text(std::string_view value) { return u64(value.size()) + std::string(value); }
inline std::string type(ValueType value) { return u32(static_cast<uint32_t>(value)); }

// A key with its type and the bytes of its value.
inline std::string pair(std::string_view key, ValueType value_type, std::string_view value) {
  return text(key) + type(value_type) + std::string(value);
}

inline std::string array(ValueType element_type, uint64_t size, std::string_view elements) {
  return type(element_type) + u64(size) + std::string(elements);
}

inline std::string tensor(std::string_view name, const std::vector<uint64_t>& shape, uint32_t type_id,
                          uint64_t offset) {
  std::string bytes = text(name) + u32(static_cast<uint32_t>(shape.size()));
  for (const uint64_t size : shape) bytes += u64(size);
  return bytes + u32(type_id) + u64(offset);
}

struct Contents {
  uint32_t version = 3;
  std::vector<std::string> pairs = {};
  std::vector<std::string> tensors = {};
  size_t data_bytes = 0;
  size_t alignment = 32;
  std::optional<uint64_t> n_pairs = {};    // what the header says, when it lies
  std::optional<uint64_t> n_tensors = {};  // likewise
};

inline std::string file(const Contents& contents) {
  std::string bytes = "GGUF" + u32(contents.version) +
                      u64(contents.n_tensors.value_or(contents.tensors.size())) +
                      u64(contents.n_pairs.value_or(contents.pairs.size()));
  for (const std::string& entry : contents.pairs) bytes += entry;
  for (const std::string& entry : contents.tensors) bytes += entry;
  if (contents.data_bytes == 0) return bytes;
  bytes.resize((bytes.size() + contents.alignment - 1) / contents.alignment * contents.alignment);
  for (size_t i = 0; i < contents.data_bytes; ++i) bytes += static_cast<char>(i);
  return bytes;
}

// The result views `bytes`.
inline Result<File> parse(std::string_view bytes) {
  return File::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "test.gguf");
}

// The message of the refusal; "accepted" when there was none.
inline std::string refusal(std::string_view bytes) {
  const auto parsed = parse(bytes);
  return parsed.ok() ? "accepted" : parsed.error().message;
}

inline std::string refusal(const Contents& contents) { return refusal(file(contents)); }

// A small file with something of everything.
inline Contents sample() {
  return {
      .pairs = {pair("general.architecture", ValueType::string, text("plm")),
                pair("plm.block_count", ValueType::u32, u32(2)), pair("flag", ValueType::boolean, u8(1)),
                pair("tokens", ValueType::array,
                     array(ValueType::string, 3, text("a") + text("") + text("bc"))),
                pair("nested", ValueType::array,
                     array(ValueType::array, 2,
                           array(ValueType::u8, 2, "\x01\x02") + array(ValueType::string, 1, text("x"))))},
      .tensors = {tensor("first", {32, 2}, static_cast<uint32_t>(TensorType::q8_0), 0),
                  tensor("second", {5}, static_cast<uint32_t>(TensorType::f32), 96)},
      .data_bytes = 96 + 5 * 4};
}

}  // namespace plm::gguf::crafted
