// Two files made by hand, and what is said of their difference.
#include "inspect/file_difference.h"

#include <gtest/gtest.h>

#include <limits>

#include "../gguf/crafted.h"

namespace plm::inspect {
namespace {

using namespace gguf::crafted;
using gguf::ValueType;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::string floats(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += number(value);
  return bytes;
}

// A file whose data follows at a place aligned to 32.
std::string with_data(const Contents& contents, const std::string& data) {
  std::string bytes = file(contents);
  bytes.resize((bytes.size() + 31) / 32 * 32);
  return bytes + data;
}

std::string one_tensor(const std::vector<float>& values, const std::string& name = "t") {
  return with_data({.tensors = {tensor(name, {values.size()}, 0, 0)}}, floats(values));
}

// The bytes must outlive the answer.
struct Compared {
  Compared(std::string bytes_a, std::string bytes_b)
      : a_bytes(std::move(bytes_a)), b_bytes(std::move(bytes_b)), a(*parse(a_bytes)), b(*parse(b_bytes)) {
    difference = *compare_files(a, b);
  }
  std::string a_bytes, b_bytes;
  gguf::File a, b;
  FileDifference difference;
};

TEST(FileDifference, AFileIsEqualToItself) {
  const Compared same(file(sample()), file(sample()));
  EXPECT_TRUE(same.difference.is_equal());
  EXPECT_EQ(same.difference.n_equal_keys, 5);
  EXPECT_EQ(same.difference.n_equal_tensors, 2);
}

TEST(FileDifference, OrderAndTheCutIntoShardsAreNoDifference) {
  const std::string one = pair("x", ValueType::u32, u32(1)), two = pair("y", ValueType::u32, u32(2));
  const std::string cut = pair("split.count", ValueType::u16, number<uint16_t>(1));
  const std::string a = tensor("a", {8}, 0, 0), b = tensor("b", {8}, 0, 32);
  const std::string b_first = tensor("b", {8}, 0, 0), a_second = tensor("a", {8}, 0, 32);
  const std::string ones = floats(std::vector<float>(8, 1)), twos = floats(std::vector<float>(8, 2));
  const Compared files(
      with_data({.pairs = {one, two, cut, pair("split.no", ValueType::u16, number<uint16_t>(0))},
                 .tensors = {a, b}},
                ones + twos),
      with_data({.pairs = {two, one}, .tensors = {b_first, a_second}}, twos + ones));
  EXPECT_TRUE(files.difference.is_equal());
  EXPECT_EQ(files.difference.n_equal_keys, 2);
  EXPECT_EQ(files.difference.n_equal_tensors, 2);
}

TEST(FileDifference, KeysOfOneFileAloneAndChangedOnesAreNamed) {
  const auto strings = [](const std::string& last) {
    return pair("words", ValueType::array, array(ValueType::string, 2, text("a") + text(last)));
  };
  const Compared files(
      file({.pairs = {pair("gone", ValueType::u8, u8(1)), strings("b"), pair("width", ValueType::u32, u32(4)),
                      pair("same", ValueType::u8, u8(7)), pair("type", ValueType::u32, u32(9))}}),
      file({.pairs = {pair("width", ValueType::u32, u32(5)), pair("same", ValueType::u8, u8(7)), strings("c"),
                      pair("type", ValueType::u64, u64(9)), pair("new", ValueType::string, text("x"))}}));
  std::vector<std::string> said;
  for (const KeyDifference& key : files.difference.keys) {
    said.push_back(std::string(key.key) + (key.b == nullptr ? " -" : key.a == nullptr ? " +" : " !"));
  }
  EXPECT_EQ(said, (std::vector<std::string>{"gone -", "words !", "width !", "type !", "new +"}));
  EXPECT_EQ(files.difference.n_equal_keys, 1);
  const KeyDifference& words = files.difference.keys[1];
  EXPECT_EQ(first_difference(*words.a->array(), *words.b->array()), 1U);
}

TEST(FileDifference, ArraysAreComparedToTheLastElement) {
  const auto parsed = [](const std::string& bytes) { return *parse(bytes); };
  const auto nested = [](uint8_t last) {
    return file(
        {.pairs = {pair("k", ValueType::array,
                        array(ValueType::array, 2,
                              array(ValueType::u8, 2, "\1\2") + array(ValueType::u8, 1, u8(last))))}});
  };
  const std::string three = nested(3), four = nested(4);
  const gguf::File a = parsed(three), b = parsed(four), again = parsed(three);
  EXPECT_FALSE(equal_values(*a.find("k"), *b.find("k")));
  EXPECT_TRUE(equal_values(*a.find("k"), *again.find("k")));
  EXPECT_EQ(first_difference(*a.find("k")->array(), *b.find("k")->array()), 1U);
  const std::string shorter = file(
      {.pairs = {pair("k", ValueType::array, array(ValueType::array, 1, array(ValueType::u8, 2, "\1\2")))}});
  const gguf::File c = parsed(shorter);
  EXPECT_FALSE(equal_values(*a.find("k"), *c.find("k")));
  EXPECT_EQ(first_difference(*a.find("k")->array(), *c.find("k")->array()), 1U);
}

TEST(FileDifference, NumbersAreComparedOneByOne) {
  const Compared files(one_tensor({3, 4, 0, -1}), one_tensor({3, 4.5, -0.0F, -3}));
  ASSERT_EQ(files.difference.tensors.size(), 1U);
  const TensorDifference& tensor = files.difference.tensors[0];
  ASSERT_TRUE(tensor.has_numbers);
  EXPECT_EQ(tensor.n_different, 2) << "zero is zero, whatever its sign";
  EXPECT_DOUBLE_EQ(tensor.largest, 2);
  EXPECT_DOUBLE_EQ(tensor.rms, std::sqrt((0.25 + 4) / 4));
  EXPECT_DOUBLE_EQ(tensor.relative(), std::sqrt(4.25 / 26));
  EXPECT_EQ(tensor.n_not_finite, 0);
}

TEST(FileDifference, WhatIsNotFiniteIsCountedApart) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Compared files(one_tensor({kNan, kNan, infinity, 1, infinity}),
                       one_tensor({kNan, 1, 2, 1.5, infinity}));
  const TensorDifference& tensor = files.difference.tensors.at(0);
  EXPECT_EQ(tensor.n_different, 3);
  EXPECT_EQ(tensor.n_not_finite, 2);
  EXPECT_DOUBLE_EQ(tensor.largest, 0.5);
  EXPECT_TRUE(std::isfinite(tensor.rms) && std::isfinite(tensor.relative()));
}

TEST(FileDifference, AnotherTypeIsDecodedAnotherShapeIsNot) {
  const std::string halves = number<uint16_t>(0x3c00) + number<uint16_t>(0x4000);  // 1 and 2
  const auto f16 = static_cast<uint32_t>(TensorType::f16);
  const Compared types(one_tensor({1, 2}), with_data({.tensors = {tensor("t", {2}, f16, 0)}}, halves));
  const TensorDifference& same = types.difference.tensors.at(0);
  EXPECT_TRUE(same.has_numbers) << "a difference, but of the type alone";
  EXPECT_EQ(same.n_different, 0);

  const Compared shapes(with_data({.tensors = {tensor("t", {4, 2}, 0, 0)}}, floats(std::vector<float>(8))),
                        with_data({.tensors = {tensor("t", {2, 4}, 0, 0)}}, floats(std::vector<float>(8))));
  EXPECT_FALSE(shapes.difference.tensors.at(0).has_same_shape());
  EXPECT_FALSE(shapes.difference.tensors.at(0).has_numbers);

  const Compared names(one_tensor({1}, "old"), one_tensor({1}, "new"));
  ASSERT_EQ(names.difference.tensors.size(), 2U);
  EXPECT_EQ(names.difference.tensors[0].name(), "old");
  EXPECT_EQ(names.difference.tensors[0].b, nullptr);
  EXPECT_EQ(names.difference.tensors[1].name(), "new");
  EXPECT_EQ(names.difference.tensors[1].a, nullptr);
}

TEST(FileDifference, TypesThatAreNotDecodedAreComparedByTheirBytes) {
  const auto i32 = static_cast<uint32_t>(TensorType::i32);
  const auto whole = [&](uint32_t value) {
    return with_data({.tensors = {tensor("t", {1}, i32, 0)}}, u32(value));
  };
  EXPECT_TRUE(Compared(whole(5), whole(5)).difference.is_equal());
  const Compared files(whole(5), whole(6));
  EXPECT_FALSE(files.difference.tensors.at(0).has_numbers);
}

TEST(FileDifference, StopsWhenItIsTold) {
  const std::string bytes = file(sample());
  const gguf::File a = *parse(bytes);
  const std::atomic<bool> stop = true;
  const auto difference = compare_files(a, a, &stop);
  ASSERT_FALSE(difference.ok());
  EXPECT_EQ(difference.error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace plm::inspect
