// Templates that would not end, or would eat the machine, end in an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "jinja/template.h"

namespace plm::jinja {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

std::string outcome(const std::string& source, const Dict& variables = {}) {
  const auto parsed = Template::parse("t", source);
  if (!parsed.ok()) return "error: " + parsed.error().message;
  const auto text =
      parsed->render(variables, {.limits = {.steps = 1'000'000, .bytes = 1 << 24, .output_bytes = 1 << 20}});
  return text.ok() ? *text : "error: " + text.error().message;
}

std::string repeated(std::string_view piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(JinjaLimits, RefuseBracketsAndBlocksInEachOtherWithoutEnd) {
  struct Nesting {
    const char *open, *close;
  };
  for (const auto& [open, close] : {Nesting{"(", ")"},
                                    {"[", "]"},
                                    {"{'a':", "}"},
                                    {"-", ""},
                                    {"not ", ""},
                                    {"1 if 1 else ", ""},
                                    {"x[", "]"},
                                    {"f(", ")"},
                                    {"x|d(", ")"}}) {
    EXPECT_THAT(outcome("{{ " + repeated(open, 60'000) + "1" + repeated(close, 60'000) + " }}"),
                AnyOf(HasSubstr("nested deeper"), HasSubstr("deeper than")))
        << open;
  }
  EXPECT_THAT(outcome(repeated("{% if 1 %}", 60'000)), HasSubstr("nested deeper"));
  EXPECT_THAT(outcome(repeated("{% for x in y %}", 60'000)), HasSubstr("nested deeper"));
  EXPECT_THAT(outcome("{{ 1" + repeated(" + 1", 60'000) + " }}"), HasSubstr("deeper than"));
  EXPECT_THAT(outcome("{{ x" + repeated(".a", 60'000) + " }}"), HasSubstr("deeper than"));
  EXPECT_THAT(outcome("{{ x" + repeated("|d", 60'000) + " }}"), HasSubstr("deeper than"));
  EXPECT_EQ(outcome("{{ ''" + repeated(" ~ 'a'", 1000) + " }}"), repeated("a", 1000));
  EXPECT_EQ(outcome("{% if 0 %}" + repeated("{% elif 0 %}", 1000) + "{% else %}b{% endif %}"), "b");
}

TEST(JinjaLimits, StopMacrosThatCallThemselves) {
  EXPECT_THAT(outcome("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), HasSubstr("calls itself"));
  EXPECT_THAT(outcome("{% macro f(a=g()) %}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}"),
              HasSubstr("calls itself"));
}

TEST(JinjaLimits, StopLoopsInLoops) {
  EXPECT_THAT(outcome("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"),
              AnyOf(HasSubstr("too many steps"), HasSubstr("too much text")));
  EXPECT_THAT(outcome("{{ range(100001) }}"), HasSubstr("more than 100000"));
  EXPECT_THAT(outcome("{{ range(0, 9223372036854775807, 9223372036854775807)|list }}"), HasSubstr("[0]"));
}

TEST(JinjaLimits, StopTextsThatGrow) {
  EXPECT_THAT(outcome("{{ 'a' * 9223372036854775807 }}"), HasSubstr("too much text"));
  EXPECT_THAT(outcome("{{ 'ab' * 9223372036854775807 }}"), HasSubstr("too much text"));
  EXPECT_THAT(outcome("{{ [1] * 99999999999 }}"), HasSubstr("too much text"));
  EXPECT_THAT(
      outcome(
          "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
      HasSubstr("too much text"));
  EXPECT_THAT(outcome("{{ ('a' * 9999)|replace('a', 'b' * 9999) }}"), HasSubstr("too much text"));
  EXPECT_THAT(outcome("{{ 'a'|center(9999999999) }}"), HasSubstr("too much text"));
  EXPECT_THAT(outcome("{{ '%99999d' % 1 }}"), HasSubstr("wider"));
  EXPECT_THAT(outcome("{{ 'a' * 2000000 }}"), HasSubstr("writes more than"));
  EXPECT_THAT(outcome("{{ [1]|tojson(indent=99999999999) }}"), HasSubstr("too much text"));
}

TEST(JinjaLimits, RefuseDataInItselfWithoutEnd) {
  const std::string deep =
      "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}";
  EXPECT_THAT(outcome(deep), HasSubstr("nested deeper than"));
  EXPECT_THAT(outcome("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x].index "
                      "%}{% endfor %}"),
              HasSubstr("nested deeper than"));
  EXPECT_THAT(outcome("{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] "
                      "%}{% endfor %}{{ ns.x }}"),
              AnyOf(HasSubstr("too many steps"), HasSubstr("too much text")));
  EXPECT_THAT(
      outcome(
          "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
          "{% set a = ns.x %}{% set ns.x = [1] %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% "
          "endfor %}"
          "{{ a == ns.x }}"),
      HasSubstr("too many steps"));
  EXPECT_EQ(
      outcome("{% set ns = namespace() %}{% set ns.x = [ns] %}{% set ns.f = [ns].count %}{{ ns.x|length }}"),
      "1");
  nlohmann::ordered_json json = 1;
  for (int i = 0; i < 200; ++i) json = nlohmann::ordered_json::array({json});
  EXPECT_THAT(from_json(json).error().message, HasSubstr("nested deeper than"));
}

TEST(JinjaLimits, RefuseNumbersThatDoNotFit) {
  EXPECT_THAT(outcome("{{ 9223372036854775808 }}"), HasSubstr("too large"));
  EXPECT_THAT(outcome("{{ 9223372036854775807 + 1 }}"), HasSubstr("64 bits"));
  EXPECT_THAT(outcome("{{ (-9223372036854775807 - 1) // -1 }}"), HasSubstr("64 bits"));
  EXPECT_EQ(outcome("{{ (-9223372036854775807 - 1) % -1 }}"), "0");
  EXPECT_THAT(outcome("{{ 10 ** 19 }}"), HasSubstr("64 bits"));
  EXPECT_EQ(outcome("{{ 'abc'[-9223372036854775807:9223372036854775807:9223372036854775807] }}"), "a");
}

TEST(JinjaLimits, ReachNothingOutside) {
  EXPECT_THAT(outcome("{% include 'x' %}"), HasSubstr("not supported"));
  EXPECT_THAT(outcome("{% import 'x' as y %}"), HasSubstr("not supported"));
  EXPECT_EQ(outcome("{{ ''.__class__ }}"), "");
  EXPECT_THAT(outcome("{{ ''.__class__.__mro__ }}"), HasSubstr("no attribute '__class__'"));
  EXPECT_THAT(outcome("{{ [].append(1) }}"), HasSubstr("no attribute 'append'"));
}

}  // namespace
}  // namespace plm::jinja
