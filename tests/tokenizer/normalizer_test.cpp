#include "tokenizer/normalizer.h"

#include <gtest/gtest.h>

#include <chrono>

namespace plm::tokenizer {
namespace {

TEST(Nfc, LeavesTextThatIsComposedAlone) {
  for (const char* const text : {"", "plain", "na\u00EFve", "你好 \u1100", "\xFF\xC3"}) {
    EXPECT_EQ(nfc(text), text);
  }
  EXPECT_FALSE(may_change_under_nfc("na\u00EFve 你好"));
}

TEST(Nfc, ComposesAndReorders) {
  EXPECT_EQ(nfc("e\u0301"), "\u00E9");
  EXPECT_EQ(nfc("x e\u0301\u0323 y"), "x \u1EB9\u0301 y");
  EXPECT_EQ(nfc("\u1100\u1161\u11A8"), "\uAC01");
  EXPECT_EQ(nfc("\u212B"), "\u00C5");
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093C");  // a composition exclusion
  EXPECT_TRUE(may_change_under_nfc("e\u0301"));
}

TEST(Nfc, KeepsBrokenBytesAndNormalizesAroundThem) {
  EXPECT_EQ(nfc("e\u0301\xFF\u0301\xC3"), "\u00E9\xFF\u0301\xC3");
  EXPECT_EQ(nfc(std::string_view("\0e\u0301\0", 5)), std::string_view("\0\u00E9\0", 4));
}

TEST(Nfc, SortsAMegabyteOfMarksInGoodTime) {
  std::string marks = "a";
  std::string sorted_below;
  constexpr int kPairs = 250000;
  for (int i = 0; i < kPairs; ++i) marks += "\u0316\u0327";  // classes 220 and 202
  for (int i = 0; i < kPairs; ++i) sorted_below += "\u0327";
  for (int i = 0; i < kPairs; ++i) sorted_below += "\u0316";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(nfc(marks), "a" + sorted_below);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

}  // namespace
}  // namespace plm::tokenizer
