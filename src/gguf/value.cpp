#include "gguf/value.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace plm::gguf {
namespace {

struct ValueTypeInfo {
  ValueType type;
  std::string_view name;
  size_t bytes;
};

constexpr std::array kValueTypes = {
    ValueTypeInfo{ValueType::u8, "uint8", 1},      ValueTypeInfo{ValueType::i8, "int8", 1},
    ValueTypeInfo{ValueType::u16, "uint16", 2},    ValueTypeInfo{ValueType::i16, "int16", 2},
    ValueTypeInfo{ValueType::u32, "uint32", 4},    ValueTypeInfo{ValueType::i32, "int32", 4},
    ValueTypeInfo{ValueType::f32, "float32", 4},   ValueTypeInfo{ValueType::boolean, "bool", 1},
    ValueTypeInfo{ValueType::string, "string", 0}, ValueTypeInfo{ValueType::array, "array", 0},
    ValueTypeInfo{ValueType::u64, "uint64", 8},    ValueTypeInfo{ValueType::i64, "int64", 8},
    ValueTypeInfo{ValueType::f64, "float64", 8},
};

// The table is in the order of the ids.
const ValueTypeInfo& type_info(ValueType type) { return kValueTypes[static_cast<size_t>(type)]; }

// Length of the well-formed UTF-8 character that starts `text`, or 0.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Over-long forms, surrogates, beyond U+10FFFF.
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return length;
}

std::string display(const Number& number) {
  if (const auto value = number.to_bool()) return *value ? "true" : "false";
  if (number.type == ValueType::f32) {
    return fmt::format("{}", std::bit_cast<float>(static_cast<uint32_t>(number.bits)));
  }
  if (const auto value = number.to_double()) return fmt::format("{}", *value);
  if (const auto value = number.to_uint()) return fmt::format("{}", *value);
  return fmt::format("{}", number.to_int().value_or(0));
}

std::string display(std::string_view string) { return fmt::format("\"{}\"", printable(string, 400)); }

std::string display(const Array& array, size_t max_items) {
  std::string text = "[";
  const size_t shown = std::min(array.size, max_items);
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) text += ", ";
    if (array.element_type == ValueType::string) {
      text += display(array.strings[i]);
    } else if (array.element_type == ValueType::array) {
      text += display(array.arrays[i], max_items);
    } else {
      text += display(array.number(i));
    }
  }
  if (shown < array.size) {
    text += fmt::format("{}... ({} in all)", shown > 0 ? ", " : "", array.size);
  }
  return text + "]";
}

}  // namespace

std::optional<ValueType> value_type_from_id(uint32_t id) {
  if (id >= kValueTypes.size()) return std::nullopt;
  return static_cast<ValueType>(id);
}

std::string_view value_type_name(ValueType type) { return type_info(type).name; }

size_t value_type_bytes(ValueType type) { return type_info(type).bytes; }

std::optional<uint64_t> Number::to_uint() const {
  switch (type) {
    case ValueType::u8:
    case ValueType::u16:
    case ValueType::u32:
    case ValueType::u64:
      return bits;
    default: {
      const auto value = to_int();
      if (!value || *value < 0) return std::nullopt;
      return static_cast<uint64_t>(*value);
    }
  }
}

std::optional<int64_t> Number::to_int() const {
  switch (type) {
    case ValueType::i8:
      return static_cast<int8_t>(bits);
    case ValueType::i16:
      return static_cast<int16_t>(bits);
    case ValueType::i32:
      return static_cast<int32_t>(bits);
    case ValueType::i64:
      return static_cast<int64_t>(bits);
    case ValueType::u8:
    case ValueType::u16:
    case ValueType::u32:
    case ValueType::u64:
      if (bits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(bits);
    default:
      return std::nullopt;
  }
}

std::optional<double> Number::to_double() const {
  if (type == ValueType::f32) return std::bit_cast<float>(static_cast<uint32_t>(bits));
  if (type == ValueType::f64) return std::bit_cast<double>(bits);
  return std::nullopt;
}

std::optional<bool> Number::to_bool() const {
  if (type != ValueType::boolean) return std::nullopt;
  return bits != 0;
}

Number Array::number(size_t i) const {
  PLM_CHECK(holds_numbers() && i < size);
  static_assert(std::endian::native == std::endian::little);
  Number result{element_type, 0};
  const size_t width = value_type_bytes(element_type);
  std::memcpy(&result.bits, bytes.data() + i * width, width);
  return result;
}

ValueType Value::type() const {
  if (const Number* value = number()) return value->type;
  return string() != nullptr ? ValueType::string : ValueType::array;
}

std::string to_display_string(const Value& value, size_t max_items) {
  if (const Number* number = value.number()) return display(*number);
  if (const std::string_view* string = value.string()) return display(*string);
  return display(*value.array(), max_items);
}

std::string printable(std::string_view text, size_t max_bytes) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    if (result.size() >= max_bytes) return result + "...";
    const size_t length = utf8_length(text.substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters too, two bytes long.
    const bool is_control = byte < 0x20 || byte == 0x7F ||
                            (byte == 0xC2 && length == 2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
    if (byte == '\n' || byte == '\t') {
      result += byte == '\n' ? "\\n" : "\\t";
      ++i;
    } else if (length == 0 || is_control) {
      result += fmt::format("\\x{:02x}", byte);
      ++i;
    } else {
      result += text.substr(i, length);
      i += length;
    }
  }
  return result;
}

}  // namespace plm::gguf
