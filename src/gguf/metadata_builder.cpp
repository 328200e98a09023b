#include "gguf/metadata_builder.h"

#include <algorithm>

#include "gguf/encode.h"

namespace plm::gguf {
namespace {

// Element type, length, elements.
void append_array(std::vector<std::byte>& out, const Array& array) {
  append_type(out, array.element_type);
  append_number<uint64_t>(out, array.size);
  append_bytes(out, array.bytes);
  for (const std::string_view string : array.strings) append_string(out, string);
  for (const Array& inner : array.arrays) append_array(out, inner);
}

template <class T>
void append_numbers(std::vector<std::byte>& out, ValueType type, std::span<const T> values) {
  append_type(out, type);
  append_number<uint64_t>(out, values.size());
  append_bytes(out, std::as_bytes(values));
}

template <class Text>
void append_strings(std::vector<std::byte>& out, std::span<const Text> values) {
  append_type(out, ValueType::string);
  append_number<uint64_t>(out, values.size());
  for (const std::string_view value : values) append_string(out, value);
}

}  // namespace

// An empty place for the value of `key`, its type already written.
std::vector<std::byte>& MetadataBuilder::start(std::string_view key, ValueType type) {
  auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (entry == entries_.end()) entry = entries_.insert(entry, Entry{std::string(key), {}});
  entry->encoded.clear();
  append_type(entry->encoded, type);
  return entry->encoded;
}

void MetadataBuilder::set_u32(std::string_view key, uint32_t value) {
  append_number(start(key, ValueType::u32), value);
}

void MetadataBuilder::set_u64(std::string_view key, uint64_t value) {
  append_number(start(key, ValueType::u64), value);
}

void MetadataBuilder::set_i32(std::string_view key, int32_t value) {
  append_number(start(key, ValueType::i32), value);
}

void MetadataBuilder::set_f32(std::string_view key, float value) {
  append_number(start(key, ValueType::f32), value);
}

void MetadataBuilder::set_bool(std::string_view key, bool value) {
  append_number<uint8_t>(start(key, ValueType::boolean), value ? 1 : 0);
}

void MetadataBuilder::set_string(std::string_view key, std::string_view value) {
  append_string(start(key, ValueType::string), value);
}

void MetadataBuilder::set_strings(std::string_view key, std::span<const std::string_view> values) {
  append_strings(start(key, ValueType::array), values);
}

void MetadataBuilder::set_strings(std::string_view key, std::span<const std::string> values) {
  append_strings(start(key, ValueType::array), values);
}

void MetadataBuilder::set_u32s(std::string_view key, std::span<const uint32_t> values) {
  append_numbers(start(key, ValueType::array), ValueType::u32, values);
}

void MetadataBuilder::set_i32s(std::string_view key, std::span<const int32_t> values) {
  append_numbers(start(key, ValueType::array), ValueType::i32, values);
}

void MetadataBuilder::set_f32s(std::string_view key, std::span<const float> values) {
  append_numbers(start(key, ValueType::array), ValueType::f32, values);
}

void MetadataBuilder::set(std::string_view key, const Value& value) {
  std::vector<std::byte>& out = start(key, value.type());
  if (const Number* number = value.number()) {
    append_bytes(out, std::as_bytes(std::span(&number->bits, 1)).first(value_type_bytes(number->type)));
  } else if (const std::string_view* string = value.string()) {
    append_string(out, *string);
  } else {
    append_array(out, *value.array());
  }
}

void MetadataBuilder::copy_from(std::span<const KeyValue> metadata) {
  for (const KeyValue& entry : metadata) set(entry.key, entry.value);
}

void MetadataBuilder::remove(std::string_view key) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
}

const MetadataBuilder::Entry* MetadataBuilder::find(std::string_view key) const {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  return entry == entries_.end() ? nullptr : &*entry;
}

}  // namespace plm::gguf
