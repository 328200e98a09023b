#include "runtime/stop_texts.h"

#include <gtest/gtest.h>

namespace plm::runtime {
namespace {

// Pushes a text in pieces of n bytes and returns all that came through.
std::string through(StopTexts& stops, const std::string& text, size_t n) {
  std::string shown;
  for (size_t begin = 0; begin < text.size(); begin += n) shown += stops.push(text.substr(begin, n));
  if (!stops.stopped()) shown += stops.finish();
  return shown;
}

TEST(StopTexts, EndAStreamHoweverItIsCut) {
  const std::string text = "Well.\nUser: and then";
  for (size_t n = 1; n <= text.size(); ++n) {
    StopTexts stops({"\nUser:", "zzz"});
    EXPECT_EQ(through(stops, text, n), "Well.") << n;
    EXPECT_TRUE(stops.stopped());
    EXPECT_EQ(stops.stop_text(), "\nUser:");
    EXPECT_EQ(stops.push("more"), "");
  }
}

TEST(StopTexts, LetAllElseThrough) {
  const std::string text = "aab aaab \nUse \nUser";
  for (size_t n = 1; n <= text.size(); ++n) {
    StopTexts stops({"aaaa", "\nUser:", ""});
    EXPECT_EQ(through(stops, text, n), text) << n;
    EXPECT_FALSE(stops.stopped());
  }
}

TEST(StopTexts, HoldBackOnlyWhatMayBecomeAStopText) {
  StopTexts stops({"abc"});
  EXPECT_EQ(stops.push("xa"), "x");
  EXPECT_EQ(stops.push("b"), "");
  EXPECT_EQ(stops.push("d"), "abd");
}

TEST(StopTexts, TheFirstInTheTextWins) {
  StopTexts stops({"late", "early"});
  EXPECT_EQ(stops.push("so early and late"), "so ");
}

}  // namespace
}  // namespace plm::runtime
