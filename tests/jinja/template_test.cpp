// What jinja2 gives, as literal texts: tests/python/test_jinja_differential.py compares thousands more with
// it.
#include "jinja/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plm::jinja {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const nlohmann::ordered_json kVariables = nlohmann::ordered_json::parse(R"({
  "n": 7, "s": "Hello, World", "u": "Grüße 🐶", "l": [3, 1, 2], "d": {"b": 1, "A": [null, true, 2.5], "items": "own"},
  "messages": [{"role": "user", "content": " Hi "}, {"role": "assistant", "content": "Yo"}]})");

Result<std::string> render(std::string_view source) {
  PLM_TRY(const Template parsed, Template::parse("t", source));
  PLM_TRY(const Value variables, from_json(kVariables));
  return parsed.render(variables.dict(), {.now = 1'700'000'000});
}
std::string text(std::string_view source) {
  const auto result = render(source);
  return result.ok() ? *result : "error: " + result.error().message;
}

TEST(JinjaTemplate, WritesValuesAsPythonDoes) {
  EXPECT_EQ(text("{{ 1.5 }} {{ 1e16 }} {{ 1e-5 }} {{ 5.0 }} {{ none }} {{ true }}"),
            "1.5 1e+16 1e-05 5.0 None True");
  EXPECT_EQ(text("{{ d }}"), "{'b': 1, 'A': [None, True, 2.5], 'items': 'own'}");
  EXPECT_EQ(text("{{ ['it\\'s', 'a\"b', '\\n', 'é'] }} {{ (1,) }}"), "[\"it's\", 'a\"b', '\\n', 'é'] (1,)");
  EXPECT_EQ(text("<{{ missing }}>"), "<>");
}

TEST(JinjaTemplate, WritesJsonWithPythonsSeparators) {
  EXPECT_EQ(text("{{ d|tojson }}"), R"({"b": 1, "A": [null, true, 2.5], "items": "own"})");
  EXPECT_EQ(text("{{ {'a': [1, {}], 'é': '<'}|tojson(indent=2) }}"),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"é\": \"<\"\n}");
  EXPECT_EQ(text("{{ u|tojson(ensure_ascii=true) }}"), "\"Gr\\u00fc\\u00dfe \\ud83d\\udc36\"");
}

TEST(JinjaTemplate, CalculatesAsPythonDoes) {
  EXPECT_EQ(text("{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 'ab' * 2 }}"),
            "-4 2 3.5 1024 0.5 abab");
  EXPECT_EQ(text("{{ 1 < 2 < 3 }} {{ 1 == true }} {{ [1] == [1.0] }} {{ 'a' in 'abc' }} {{ 4 not in l }}"),
            "True True True True True");
  EXPECT_EQ(text("{{ 0 or 'x' }} {{ l and 'y' }} {{ 'a' if n > 9 else 'b' }} {{ n ~ s }}"),
            "x y b 7Hello, World");
  EXPECT_EQ(text("{{ '%s: %03d %.1f%%' % (s, n, 2.55) }}"), "Hello, World: 007 2.5%");
}

TEST(JinjaTemplate, CutsTextsByCodePoints) {
  EXPECT_EQ(text("{{ u[2] }} {{ u[-1] }} {{ u[::-1] }} {{ u|length }} {{ l[1:] }} {{ l[::-1] }}"),
            "ü 🐶 🐶 eßürG 7 [1, 2] [2, 1, 3]");
  EXPECT_EQ(text("{{ u|upper }}"), "GRÜSSE 🐶");
}

TEST(JinjaTemplate, FindsMethodsBeforeKeysByDotAndKeysFirstInBrackets) {
  EXPECT_EQ(text("{{ d['items'] }} {% for k, v in d.items() %}{{ k }};{% endfor %}"), "own b;A;items;");
  EXPECT_EQ(text("{{ s.split(', ')[1].startswith('W') }} {{ d.get('zz', 1) }} {{ ' x '.strip() }}"),
            "True 1 x");
}

TEST(JinjaTemplate, KeepsTheBlanksThatTransformersKeeps) {
  EXPECT_EQ(text("a\n  {% if n %}\n  b\n  {% endif %}\nc\n"), "a\n  b\nc");
  EXPECT_EQ(text("a {{- s -}} b {%- if n -%} c {%- endif %}"), "aHello, Worldbc");
  EXPECT_EQ(text("  {%+ if n +%}\nx{% endif %}{# note #}\ny"), "  \nxy");
  EXPECT_EQ(text("{% raw %}{{ x }}{% endraw %}"), "{{ x }}");
}

TEST(JinjaTemplate, LoopsWithWhatALoopKnows) {
  EXPECT_EQ(text("{% for x in l if x != 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ',' if not "
                 "loop.last }}{% endfor %}"),
            "1/2:3,2/2:2");
  EXPECT_EQ(text("{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 2 %}{% break %}{% endif "
                 "%}{{ x }}{% endfor %}"),
            "3");
  EXPECT_EQ(text("{% for x in [] %}x{% else %}none{% endfor %}"), "none");
  EXPECT_EQ(text("{% set x = 1 %}{% for i in l %}{% set x = i %}{% endfor %}{{ x }}"), "1");
  EXPECT_EQ(
      text("{% set ns = namespace(n=0) %}{% for i in l %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"),
      "6");
}

TEST(JinjaTemplate, RunsMacrosFiltersAndCaptures) {
  EXPECT_EQ(text("{% macro f(a, b=2) %}{{ a }}{{ b }};{% endmacro %}{{ f(1) }}{{ f(1, b=3) }}"), "12;13;");
  EXPECT_EQ(text("{% macro f(a) %}<{{ caller(a) }}>{% endmacro %}{% call(x) f(5) %}{{ x }}{% endcall %}"),
            "<5>");
  EXPECT_EQ(text("{% set a | upper %}x{{ n }}{% endset %}{{ a }}{% filter trim %} y {% endfilter %}"), "X7y");
  EXPECT_EQ(text("{{ messages|selectattr('role', 'eq', 'user')|map(attribute='content')|map('trim')|join }}"),
            "Hi");
  EXPECT_EQ(text("{{ d|dictsort|first|last }} {{ l|sort|join('-') }} {{ (l|map('string')|list)[0] }}"),
            "[None, True, 2.5] 1-2-3 3");
  EXPECT_EQ(text("{% generation %}{{ s }}{% endgeneration %}"), "Hello, World");
}

TEST(JinjaTemplate, TellsARefusalFromADefect) {
  const auto refusal = render("\n{{ raise_exception('roles must alternate') }}");
  ASSERT_FALSE(refusal.ok());
  EXPECT_EQ(refusal.error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(refusal.error().message, "t: line 2: the template refuses: roles must alternate");
  EXPECT_EQ(render("{{ 1 + 'a' }}").error().kind, ErrorKind::bad_data);
}

TEST(JinjaTemplate, NamesTheLineAndWhatWasFound) {
  EXPECT_EQ(text("a\n{% if n %}\n{{ n + s }}{% endif %}"),
            "error: t: line 3: unsupported operand types for +: 'int' and 'str'");
  EXPECT_EQ(text("{{ missing.x }}"), "error: t: line 1: 'missing' is undefined");
  EXPECT_EQ(text("{% for x in l %}"),
            "error: t: line 1: found the end of the template, expected {% endfor %}");
  EXPECT_EQ(text("\n{{ 1 + }}"), "error: t: line 2: found '}}', expected an expression");
  EXPECT_EQ(text("{% extends 'x' %}"), "error: t: line 1: the tag {% extends %} is not supported");
  EXPECT_EQ(text("{{ s|nothing }}"), "error: t: line 1: the filter 'nothing' is not supported");
  EXPECT_THAT(text("{{ s[1 }}"), StartsWith("error: t: line 1: found '}' without its opening"));
}

TEST(JinjaTemplate, KnowsTheDateItIsGiven) {
  EXPECT_THAT(text("{{ strftime_now('%Y-%m') }}"), HasSubstr("2023-11"));
}

}  // namespace
}  // namespace plm::jinja
