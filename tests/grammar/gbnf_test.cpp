#include "grammar/gbnf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "matching.h"

namespace plm::grammar {
namespace {

using ::testing::HasSubstr;

Language read(std::string_view source) { return Language(parse_gbnf(source)); }

TEST(Gbnf, ReadsTextsCharactersAndRules) {
  const Language greeting = read("root ::= \"Hello, \" name [!?.]\nname ::= [A-Z] [a-z]*  # a comment\n");
  EXPECT_TRUE(greeting.has("Hello, Ann!")) << greeting.error();
  EXPECT_TRUE(greeting.has("Hello, B?"));
  EXPECT_TRUE(greeting.has_beginning("Hello, Ann"));
  for (const char* text : {"", "Hello", "Hello, Ann", "Hello, ann!", "Hello, Ann!!", "hello, Ann!"}) {
    EXPECT_FALSE(greeting.has(text)) << text;
  }
}

TEST(Gbnf, ReadsRepetitions) {
  const Language counted = read(R"(root ::= "a"{2} "b"{1,} "c"{0,2} "d"? "e"+ ("f" | "gg")*)");
  for (const char* text : {"aabe", "aabbbccdee", "aabefggf"}) EXPECT_TRUE(counted.has(text)) << text;
  for (const char* text : {"abe", "aaabe", "aae", "aabccce", "aabdde", "aab", "aabeg"}) {
    EXPECT_FALSE(counted.has(text)) << text;
  }
  EXPECT_TRUE(read("root ::= \"a\"{0} \"b\"").has("b"));
  EXPECT_TRUE(read("root ::= (\"a\"*)* \"b\"").has("aaab")) << "what may be empty is repeated";
}

TEST(Gbnf, ReadsEscapesAndUnicode) {
  const Language escaped = read(R"(root ::= "\n\t\"\\\x41\u00e9" [^\]\-a-c\U0001F600] .)");
  EXPECT_TRUE(
      escaped.has("\n\t\"\\A\xc3\xa9"
                  "d\xe6\x97\xa5"))
      << escaped.error();
  EXPECT_TRUE(
      escaped.has("\n\t\"\\A\xc3\xa9"
                  "\xf0\x9f\x98\x81\n"));
  EXPECT_FALSE(
      escaped.has("\n\t\"\\A\xc3\xa9"
                  "\xf0\x9f\x98\x80\n"))
      << "the one that is left out";
  for (const char* sign : {"]", "-", "b"}) {
    EXPECT_FALSE(escaped.has_beginning(std::string("\n\t\"\\A\xc3\xa9") + sign)) << sign;
  }
  const Language any = read("root ::= .");
  EXPECT_FALSE(any.has_beginning("\xff"));
  EXPECT_FALSE(any.has_beginning("\xed\xa0")) << "half a surrogate pair";
  EXPECT_FALSE(any.has_beginning("\xc0")) << "longer than it need be";
  EXPECT_TRUE(any.has("\xf4\x8f\xbf\xbf"));
  EXPECT_FALSE(any.has_beginning("\xf4\x90"));
}

TEST(Gbnf, ReadsRulesThatHoldThemselves) {
  const Language nested = read("root ::= item\nitem ::= \"x\" | \"(\" (item (\",\" item)*)? \")\"\n");
  EXPECT_TRUE(nested.has("((x,x),(),x)"));
  EXPECT_FALSE(nested.has("((x,x)"));
  EXPECT_FALSE(nested.has_beginning("x)"));
  const Language list = read("root ::= \"a\" root | \"b\"");
  EXPECT_TRUE(list.has(std::string(5000, 'a') + "b")) << "a list grows no stack";
}

TEST(Gbnf, LetsRulesGoOnInGroupsAndAfterBars) {
  const Language lines =
      read("root ::=\n  \"a\" (\n    \"b\"\n    \"c\" |\n  \"d\"\n  )? |\n  \"e\"\nother ::= \"f\"");
  for (const char* text : {"a", "abc", "ad", "e"}) EXPECT_TRUE(lines.has(text)) << text << lines.error();
}

TEST(Gbnf, SaysWhatIsWrongAndWhere) {
  const std::vector<std::pair<std::string_view, std::string_view>> wrong = {
      {"", "no rule named root"},
      {"a ::= \"b\"", "no rule named root"},
      {"root ::= b", "rule b is used but not defined"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2: rule root is defined twice"},
      {"root = \"a\"", "line 1: found '=', expected ::="},
      {"root ::= \"a", "closing \""},
      {"root ::= [a", "closing ]"},
      {"root ::= [b-a]", "runs backwards"},
      {"root ::= (\"a\"", "expected the ) of a group"},
      {"root ::= \"a\")", "expected the end of the rule"},
      {"root ::= *", "expected the name of a rule"},
      {"root ::= \"a\"{2,1}", "expected {m}"},
      {"root ::= \"a\"{99999}", "expected {m}"},
      {"root ::= \"a\"{1,99999}", "expected {m}"},
      {"root ::= \"a\"{x}", "expected {m}"},
      {"root ::= \"\\q\"", "escape"},
      {"root ::= \"\\ud800\"", "no character"},
      {"root ::= \"\\x4\"", "2 hexadecimal digits"},
      {"root ::= \"\xff\"", "no UTF-8"},
      {"root ::= <think>", "not supported"},
      {"root ::= root \"a\" | \"b\"", "left recursion"},
      {"root ::= \"a\"? b\nb ::= root", "left recursion"},
      {"root ::= b? root\nb ::= \"x\"", "left recursion"}};
  for (const auto& [source, message] : wrong) {
    EXPECT_THAT(read(source).error(), HasSubstr(std::string(message))) << source;
  }
  EXPECT_EQ(read("root ::= a a? \"x\"\na ::= \"\" | \"a\"").error(), "");
}

TEST(Gbnf, RefusesWhatIsTooLarge) {
  EXPECT_THAT(read("root ::= \"" + std::string(300'000, 'a') + "\"").error(), HasSubstr("at most"));
  EXPECT_THAT(read("root ::= ((\"abc\"{9999}){9999}){9999}").error(), HasSubstr("too large"));
  EXPECT_THAT(read("root ::= (((\"\"{9999}){9999}){9999}){9999}").error(), HasSubstr("too large"));
  EXPECT_THAT(read("root ::= " + std::string(5000, '(') + "\"a\"" + std::string(5000, ')')).error(),
              HasSubstr("nested deeper"));
  EXPECT_THAT(read("root ::= \"a\"*****").error(), HasSubstr("too many repetitions"));
}

TEST(Gbnf, StopsOfGrammarsThatAreTooAmbiguousWithAnError) {
  // Thirty levels with two ways each: a thousand million ways to read nothing.
  std::string source = "root ::= r0 \"!\"\n";
  for (int i = 0; i < 30; ++i) source += fmt::format("r{} ::= r{} \"x\" | r{} \"y\"\n", i, i + 1, i + 1);
  const auto grammar = parse_gbnf(source + "r30 ::= \"a\"");
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  const auto network = Network::build(*grammar);
  ASSERT_TRUE(network.ok());
  const auto start = Automaton(*network).start();
  ASSERT_FALSE(start.ok());
  EXPECT_THAT(start.error().message, HasSubstr("too ambiguous"));
}

}  // namespace
}  // namespace plm::grammar
