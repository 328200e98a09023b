#include "base/json_shape.h"

#include <gtest/gtest.h>

namespace plm {
namespace {

TEST(JsonShape, CountsBracketsOutsideStrings) {
  EXPECT_EQ(json_shape("").depth, 0);
  EXPECT_EQ(json_shape("1").depth, 0);
  EXPECT_EQ(json_shape(R"({"a": [1, [2]], "b": [[[[ ]]]]})").depth, 5);
  EXPECT_EQ(json_shape(R"(["[[[[", "\"[[", "\\"])").depth, 1);
}

TEST(JsonShape, CountsValuesAndTheMembersOfTheWidestObject) {
  const JsonShape shape =
      json_shape(R"({"a": {"b": 1, "c": 2, "d": {"e": ":::"}}, "f": [{"g": 1}, {"h": ","}]})");
  EXPECT_EQ(shape.most_members, 3U);
  EXPECT_GE(shape.n_values, 15U);  // 8 keys and 12 values, of which an empty list would count twice
  EXPECT_EQ(json_shape("[{}, {}, []]").most_members, 0U);
  EXPECT_EQ(json_shape(R"([{"a": 1}, {"a": 1}, {"a": 1}])").most_members, 1U);
}

TEST(JsonShape, TakesTextsThatAreNoJson) {
  EXPECT_EQ(json_shape("]]][").depth, 0);
  EXPECT_EQ(json_shape("\"\\").depth, 0);
  EXPECT_EQ(json_shape(":::").most_members, 3U);
  EXPECT_EQ(json_shape(std::string(1 << 20, '[')).depth, 1 << 20);
}

}  // namespace
}  // namespace plm
