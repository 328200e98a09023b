// The metadata of a GGUF file about to be written: an ordered list of keys with encoded values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/value.h"

namespace plm::gguf {

// Copies what it is given. Setting a key that is there replaces its value and keeps its place. Keys are
// checked when the file is written (Writer::create), so that building needs no error paths.
class MetadataBuilder {
 public:
  void set_u32(std::string_view key, uint32_t value);
  void set_u64(std::string_view key, uint64_t value);
  void set_i32(std::string_view key, int32_t value);
  void set_f32(std::string_view key, float value);
  void set_bool(std::string_view key, bool value);
  void set_string(std::string_view key, std::string_view value);
  void set_strings(std::string_view key, std::span<const std::string_view> values);
  void set_strings(std::string_view key, std::span<const std::string> values);
  void set_u32s(std::string_view key, std::span<const uint32_t> values);
  void set_i32s(std::string_view key, std::span<const int32_t> values);
  void set_f32s(std::string_view key, std::span<const float> values);
  // Any value, of any type: what a File holds is copied byte for byte.
  void set(std::string_view key, const Value& value);
  // Every key of a File, in its order.
  void copy_from(std::span<const KeyValue> metadata);
  void remove(std::string_view key);

  struct Entry {
    std::string key;
    std::vector<std::byte> encoded;  // type and value, as in the file
  };
  std::span<const Entry> entries() const { return entries_; }
  const Entry* find(std::string_view key) const;  // null when absent

 private:
  std::vector<std::byte>& start(std::string_view key, ValueType type);

  std::vector<Entry> entries_;
};

}  // namespace plm::gguf
