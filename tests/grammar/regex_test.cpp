#include "grammar/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "matching.h"

namespace plm::grammar {
namespace {

using ::testing::HasSubstr;

Language read(std::string_view pattern, RegexPlace place = RegexPlace::whole_text) {
  auto expression = parse_regex(pattern, place);
  if (!expression.ok()) return Language(expression.error());
  Grammar grammar;
  grammar.add("root", *std::move(expression));
  return Language(grammar);
}

struct Sample {
  std::string_view pattern;
  std::vector<std::string_view> in, out;
};

TEST(Regex, MatchesWholeTexts) {
  const std::vector<Sample> samples = {{"abc", {"abc"}, {"ab", "abcd", "xabc"}},
                                       {"^abc$", {"abc"}, {"ab"}},
                                       {"a|bc|", {"a", "bc", ""}, {"b", "abc"}},
                                       {"(a|b)*c+?", {"c", "abbac", "cc"}, {"ab", "ca"}},
                                       {"(?:ab){2,3}", {"abab", "ababab"}, {"ab", "abababab"}},
                                       {"(?<year>[0-9]{4})-(?P<m>\\d\\d)", {"2024-05"}, {"24-05"}},
                                       {"[^a-c\\]\\d-]", {"d", "\xc3\xa9"}, {"a", "]", "5", "-"}},
                                       {"\\w\\W\\s\\S", {"a- b", "_+\tc"}, {"ab b", "a-xb", "a-  "}},
                                       {".", {"x", "\xe6\x97\xa5"}, {"\n", "\r", "\xe2\x80\xa8", ""}},
                                       {"\\.\\*\\x41\\u00e9\\n", {".*A\xc3\xa9\n"}, {"..A\xc3\xa9\n"}},
                                       {"[]]", {}, {"]", "x"}},
                                       {"a{3}", {"aaa"}, {"aa", "aaaa"}},
                                       {"a{2,}", {"aa", "aaaaa"}, {"a"}}};
  for (const Sample& sample : samples) {
    const Language language = read(sample.pattern);
    EXPECT_EQ(language.error(), "") << sample.pattern;
    for (const auto text : sample.in) EXPECT_TRUE(language.has(text)) << sample.pattern << " " << text;
    for (const auto text : sample.out) EXPECT_FALSE(language.has(text)) << sample.pattern << " " << text;
  }
}

TEST(Regex, SearchesInsideJsonStringsAndEscapesWhatJsonEscapes) {
  const Language found = read("b\"\\\\", RegexPlace::json_string);
  EXPECT_TRUE(found.has(R"(xb\"\\y)"));
  EXPECT_TRUE(found.has(R"(b\"\\)"));
  EXPECT_FALSE(found.has("b\"\\"));
  EXPECT_FALSE(found.has("b"));
  const Language line = read("^a\\nb$", RegexPlace::json_string);
  EXPECT_TRUE(line.has("a\\nb"));
  EXPECT_FALSE(line.has("a\nb"));
  EXPECT_FALSE(line.has("xa\\nb"));
  const Language either = read("^a|b$", RegexPlace::json_string);
  for (const char* text : {"axx", "xxb", "a"}) EXPECT_TRUE(either.has(text)) << text;
  EXPECT_FALSE(either.has("xa"));
}

TEST(Regex, SaysWhatItDoesNotKnow) {
  for (const char* pattern :
       {"(?=a)", "(?!a)", "(?<=a)", "(?i)a", "\\bword", "(a)\\1", "\\p{L}", "a**",
        "a++",   "*a",    "(a",     "a)",    "[a",      "[b-a]",  "a{2",    "a{2,1}",
        "{",     "\\",    "(^a)",   "x^",    "a$b",     "\xff",   "\\u12",  "[\\d-x]{99999}"}) {
    const auto made = parse_regex(pattern, RegexPlace::whole_text);
    ASSERT_FALSE(made.ok()) << pattern;
    EXPECT_EQ(made.error().kind, ErrorKind::invalid_argument);
    EXPECT_THAT(made.error().message, HasSubstr("pattern: ")) << pattern;
  }
  const std::string deep = std::string(1000, '(') + std::string(1000, ')');
  EXPECT_FALSE(parse_regex(deep, RegexPlace::whole_text).ok());
  EXPECT_FALSE(parse_regex(std::string(10'000, 'a'), RegexPlace::whole_text).ok());
}

}  // namespace
}  // namespace plm::grammar
