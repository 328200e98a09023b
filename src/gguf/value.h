// The values that GGUF metadata can hold. Strings and arrays are views of the file's bytes: they
// live as long as the File (or the memory) they were read from. See docs/formats/gguf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace plm::gguf {

// The values are those written in GGUF files.
enum class ValueType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

std::optional<ValueType> value_type_from_id(uint32_t id);
// "uint8", "float32", "bool", "string", "array": the names of the gguf specification.
std::string_view value_type_name(ValueType type);
// Bytes of one number or bool; 0 for strings and arrays, whose size varies.
size_t value_type_bytes(ValueType type);

// One integer, float or bool, exactly as in the file.
struct Number {
  ValueType type = ValueType::u8;
  uint64_t bits = 0;  // the little-endian bytes of the value, zero-extended

  // Any integer type whose value fits; nothing for floats and bools.
  std::optional<uint64_t> to_uint() const;
  std::optional<int64_t> to_int() const;
  // float32 and float64 only.
  std::optional<double> to_double() const;
  std::optional<bool> to_bool() const;
};

// An array of numbers or bools (packed `bytes`, in no way aligned), strings, or arrays.
struct Array {
  ValueType element_type = ValueType::u8;
  size_t size = 0;                        // number of elements
  std::span<const std::byte> bytes;       // numbers and bools: size * value_type_bytes(element_type)
  std::vector<std::string_view> strings;  // element_type string
  std::vector<Array> arrays;              // element_type array

  bool holds_numbers() const { return value_type_bytes(element_type) != 0; }
  // Element i < size of an array of numbers or bools.
  Number number(size_t i) const;
};

class Value {
 public:
  Value(Number number) : data_(number) {}
  Value(std::string_view string) : data_(string) {}
  Value(Array array) : data_(std::move(array)) {}

  ValueType type() const;
  // Null when the value is of another kind.
  const Number* number() const { return std::get_if<Number>(&data_); }
  const std::string_view* string() const { return std::get_if<std::string_view>(&data_); }
  const Array* array() const { return std::get_if<Array>(&data_); }

 private:
  std::variant<Number, std::string_view, Array> data_;
};

struct KeyValue {
  std::string_view key;
  Value value;
};

// For people: numbers plainly, strings in double quotes, arrays as "[1, 2, 3, ... (152064 in all)]"
// with at most max_items elements (of nested arrays too). Safe to print: see printable().
std::string to_display_string(const Value& value, size_t max_items);

// Text of a file made safe for one line of a terminal or a message: control characters and bytes that
// are not UTF-8 become \n, \t or \xNN; what is longer than max_bytes is cut and ends in "...".
std::string printable(std::string_view text, size_t max_bytes = 80);

}  // namespace plm::gguf
