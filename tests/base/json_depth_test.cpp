#include "base/json_depth.h"

#include <gtest/gtest.h>

namespace plm {
namespace {

TEST(JsonDepth, CountsBracketsOutsideStrings) {
  EXPECT_EQ(json_depth(""), 0);
  EXPECT_EQ(json_depth("1"), 0);
  EXPECT_EQ(json_depth(R"({"a": [1, [2]], "b": [[[[ ]]]]})"), 5);
  EXPECT_EQ(json_depth(R"(["[[[[", "\"[[", "\\"])"), 1);
}

TEST(JsonDepth, TakesTextsThatAreNoJson) {
  EXPECT_EQ(json_depth("]]]["), 0);
  EXPECT_EQ(json_depth("\"\\"), 0);
  EXPECT_EQ(json_depth(std::string(1 << 20, '[')), 1 << 20);
}

}  // namespace
}  // namespace plm
