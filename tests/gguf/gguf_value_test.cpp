#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crafted.h"

namespace plm::gguf {
namespace {

using namespace crafted;

// How the value of the one key of a file is shown.
std::string shown(ValueType value_type, const std::string& value, size_t max_items = 3) {
  const std::string bytes = file({.pairs = {pair("k", value_type, value)}});
  const auto parsed = parse(bytes);
  return parsed.ok() ? to_display_string(parsed->metadata()[0].value, max_items) : parsed.error().message;
}

TEST(GgufValue, ShowsNumbersAndStringsPlainly) {
  EXPECT_EQ(shown(ValueType::u64, u64(~uint64_t{0})), "18446744073709551615");
  EXPECT_EQ(shown(ValueType::i8, number<int8_t>(-3)), "-3");
  EXPECT_EQ(shown(ValueType::f32, number(1e-6F)), "1e-06");
  EXPECT_EQ(shown(ValueType::f64, number(0.1)), "0.1");
  EXPECT_EQ(shown(ValueType::boolean, u8(1)), "true");
  EXPECT_EQ(shown(ValueType::boolean, u8(0)), "false");
  EXPECT_EQ(shown(ValueType::string, text("Ġ中😀\n")), "\"Ġ中😀\\n\"");
}

TEST(GgufValue, CutsLongArraysAndSaysHowManyThereAre) {
  EXPECT_EQ(shown(ValueType::array, array(ValueType::u8, 3, "\x01\x02\x03")), "[1, 2, 3]");
  EXPECT_EQ(shown(ValueType::array, array(ValueType::u8, 4, "\x01\x02\x03\x04")),
            "[1, 2, 3, ... (4 in all)]");
  EXPECT_EQ(shown(ValueType::array, array(ValueType::u8, 4, "\x01\x02\x03\x04"), 0), "[... (4 in all)]");
  EXPECT_EQ(shown(ValueType::array, array(ValueType::u8, 0, "")), "[]");
  EXPECT_EQ(shown(ValueType::array, array(ValueType::string, 1, text("a"))), "[\"a\"]");
  EXPECT_EQ(shown(ValueType::array, array(ValueType::array, 1, array(ValueType::u8, 2, "\x01\x02")), 1),
            "[[1, ... (2 in all)]]");
}

TEST(GgufValue, PrintableTextHasNoControlCharactersAndIsUtf8) {
  EXPECT_EQ(printable("plain \xC3\xA9"), "plain \xC3\xA9");
  EXPECT_EQ(printable("\x1B[31m\x7F\r\n\t"), "\\x1b[31m\\x7f\\x0d\\n\\t");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b") << "a control character of two bytes";
  EXPECT_EQ(printable("\xFF\xC3"), "\\xff\\xc3") << "not UTF-8";
  EXPECT_EQ(printable("\xE0\x80\x80\xED\xA0\x80"), "\\xe0\\x80\\x80\\xed\\xa0\\x80")
      << "over-long, surrogate";
  EXPECT_EQ(printable("\xF4\x90\x80\x80\xF0\x80\x80\x80"), "\\xf4\\x90\\x80\\x80\\xf0\\x80\\x80\\x80");
  EXPECT_EQ(printable(std::string(100, 'x'), 10), std::string(10, 'x') + "...");
  EXPECT_EQ(printable(std::string(10, 'x'), 10), std::string(10, 'x'));
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(GgufValue, KnowsNamesAndSizesOfItsTypes) {
  EXPECT_EQ(value_type_from_id(12), ValueType::f64);
  EXPECT_FALSE(value_type_from_id(13).has_value());
  EXPECT_EQ(value_type_name(ValueType::boolean), "bool");
  EXPECT_EQ(value_type_bytes(ValueType::u16), 2U);
  EXPECT_EQ(value_type_bytes(ValueType::string), 0U);
}

}  // namespace
}  // namespace plm::gguf
