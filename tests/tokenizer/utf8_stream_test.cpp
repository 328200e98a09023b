#include "tokenizer/utf8_stream.h"

#include <gtest/gtest.h>

#include <random>

namespace plm::tokenizer {
namespace {

TEST(Utf8Stream, HoldsBackHalfACharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80!"), "\xF0\x9F\x98\x80!");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8Stream, GivesTheRestAtTheEnd) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xE4\xBD"), "");
  EXPECT_EQ(stream.finish(), "\xE4\xBD");
  EXPECT_EQ(stream.push("b"), "b");
}

TEST(Utf8Stream, DoesNotWaitForWhatCannotBecomeACharacter) {
  for (const char* const broken : {"\xFF", "\x80", "\xC0", "\xE0\x80", "\xED\xA0", "\xF4\x90", "\xF5"}) {
    Utf8Stream stream;
    EXPECT_EQ(stream.push(broken), broken);
  }
}

TEST(Utf8Stream, LosesNoByteOfAnyStream) {
  std::mt19937 random(1);
  for (int round = 0; round < 1000; ++round) {
    Utf8Stream stream;
    std::string sent;
    std::string shown;
    for (int part = 0; part < 10; ++part) {
      std::string bytes(random() % 4, '\0');
      for (char& c : bytes) c = static_cast<char>(random());
      sent += bytes;
      shown += stream.push(bytes);
      ASSERT_LE(sent.size() - shown.size(), 3U);
    }
    shown += stream.finish();
    ASSERT_EQ(shown, sent);
  }
}

}  // namespace
}  // namespace plm::tokenizer
