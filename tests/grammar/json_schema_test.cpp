#include "grammar/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "matching.h"

namespace plm::grammar {
namespace {

using ::testing::HasSubstr;

Language read(std::string_view schema) { return Language(parse_json_schema(schema)); }

struct Sample {
  std::string_view schema;
  std::vector<std::string_view> in, out;
};

void check(const std::vector<Sample>& samples) {
  for (const Sample& sample : samples) {
    const Language language = read(sample.schema);
    EXPECT_EQ(language.error(), "") << sample.schema;
    for (const auto text : sample.in) EXPECT_TRUE(language.has(text)) << sample.schema << " " << text;
    for (const auto text : sample.out) EXPECT_FALSE(language.has(text)) << sample.schema << " " << text;
  }
}

TEST(JsonSchema, WritesAnyJsonWithoutOne) {
  const std::vector<std::string_view> values = {"null",    "true",
                                                "-1.5e-3", "0",
                                                "-0.25",   "\"a\\n\\u00e9\"",
                                                "[]",      "[1, [2],\n  {\"a\": null}]",
                                                "{}",      "{ \"a\": 1, \"b\":\n\t{\"c\": \"\"} }"};
  const std::vector<std::string_view> others = {
      "",     "nul",    "01",        "1.",          ".5", "'a'",    "\"\n\"", "\"\\x\"", "\"\\ud800\"",
      "[1,]", "{a: 1}", "{\"a\" 1}", "{\"a\": 1,}", "1 ", "[1  ,2]"};
  check({{"{}", values, others},
         {"true", values, others},
         {R"({"title": "T", "x-unknown": 5})", values, others}});
  const Language object = Language(any_json_object());
  EXPECT_TRUE(object.has("{\"a\": [1, {\"b\": \"c\"}]}"));
  EXPECT_FALSE(object.has("[1]"));
}

TEST(JsonSchema, KeepsTypesAndValues) {
  check(
      {{R"({"type": "boolean"})", {"true", "false"}, {"null", "\"true\""}},
       {R"({"type": ["integer", "null"]})", {"0", "-12", "null"}, {"1.5", "1e2", "-0"}},
       {R"({"type": "number"})", {"1.5", "-0.1", "1e9", "3"}, {"1e999", "NaN"}},
       {R"({"const": {"a": [1, "x"]}})", {R"({"a":[1,"x"]})"}, {R"({"a":[1,"y"]})"}},
       {R"({"enum": ["red", 1, null, "\"q\""]})", {"\"red\"", "1", "null", R"("\"q\"")"}, {"\"blue\"", "2"}},
       {R"({"type": "string", "enum": ["a", 1]})", {"\"a\""}, {"1"}},
       {R"({"anyOf": [{"type": "string"}, {"type": "integer"}]})", {"\"x\"", "7"}, {"null"}}});
}

TEST(JsonSchema, KeepsBoundsOfNumbers) {
  const auto check_range = [](const std::string& schema, int64_t least, int64_t most) {
    const Language language = read(schema);
    ASSERT_EQ(language.error(), "") << schema;
    for (int64_t number = -1300; number <= 1300; ++number) {
      ASSERT_EQ(language.has(fmt::format("{}", number)), number >= least && number <= most)
          << schema << number;
    }
  };
  for (const int64_t least : {-1234, -100, -99, -1, 0, 1, 9, 10, 57, 199}) {
    check_range(fmt::format(R"({{"type": "integer", "minimum": {}}})", least), least, 1300);
    check_range(fmt::format(R"({{"type": "integer", "maximum": {}}})", least), -1300, least);
    for (const int64_t most : {-57, 0, 7, 203, 1000}) {
      if (least > most) continue;
      check_range(fmt::format(R"({{"type": "integer", "minimum": {}, "maximum": {}}})", least, most), least,
                  most);
    }
  }
  check_range(R"({"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7})", 6, 6);
  check_range(R"({"type": "integer", "minimum": 5.5, "maximum": 7.5})", 6, 7);
  check({{R"({"type": "number", "minimum": 0, "maximum": 1})",
          {"0", "1", "0.5", "0.99"},
          {"1.1", "-0.1", "-1", "2", "1.0"}},
         {R"({"type": "number", "minimum": -2, "maximum": 3})",
          {"-2", "-1.99", "-0.5", "2.75", "3"},
          {"-2.5", "3.5", "-3"}},
         {R"({"type": "number", "maximum": -3})", {"-3", "-3.5", "-100.25"}, {"-2.5", "0", "1", "-2"}},
         {R"({"type": "number", "exclusiveMinimum": 0})", {"1", "1.5", "12.25"}, {"0", "0.0", "-1"}}});
}

TEST(JsonSchema, KeepsLengthsPatternsAndFormatsOfStrings) {
  check({{R"({"type": "string", "minLength": 2, "maxLength": 3})",
          {"\"ab\"", "\"a\\u00e9\\n\"", "\"\xe6\x97\xa5\xe6\x9c\xac\""},
          {"\"a\"", "\"abcd\"", "ab"}},
         {R"({"pattern": "^[a-z]+-[0-9]{2}$"})", {"\"ab-12\""}, {"\"AB-12\"", "\"ab-123\""}},
         {R"({"type": "string", "pattern": "needle"})", {"\"a needle.\""}, {"\"a thread\""}},
         {R"({"type": "string", "format": "date"})",
          {"\"2024-02-28\"", "\"1999-12-31\""},
          {"\"2024-02-30\"", "\"2024-13-01\"", "\"24-01-01\""}},
         {R"({"type": "string", "format": "date-time"})",
          {"\"2024-02-28T23:59:00Z\"", "\"2024-02-28T23:59:00.5+01:00\""},
          {"\"2024-02-28\"", "\"2024-02-28T24:00:00Z\""}},
         {R"({"type": "string", "format": "ipv4"})", {"\"255.0.19.1\""}, {"\"256.0.0.1\"", "\"01.1.1.1\""}},
         {R"({"type": "string", "format": "uuid"})",
          {"\"00112233-4455-6677-8899-aabbccddeeff\""},
          {"\"0011\""}},
         {R"({"type": "string", "format": "whatever"})", {"\"x\""}, {}}});
}

TEST(JsonSchema, KeepsItemsOfArrays) {
  check(
      {{R"({"type": "array", "items": {"type": "integer"}})", {"[]", "[1]", "[1, 2,3]"}, {"[\"a\"]", "[1,]"}},
       {R"({"items": {"type": "null"}, "minItems": 2, "maxItems": 3})",
        {"[null,null]", "[null, null, null]"},
        {"[]", "[null]", "[null,null,null,null]"}},
       {R"({"type": "array", "maxItems": 0})", {"[]"}, {"[1]"}},
       {R"({"prefixItems": [{"type": "integer"}, {"type": "string"}]})",
        {"[1,\"a\"]"},
        {"[1]", "[1,\"a\",2]"}},
       {R"({"prefixItems": [{"type": "integer"}], "items": {"type": "null"}, "minItems": 3})",
        {"[1,null,null]", "[1,null,null,null]"},
        {"[1,null]", "[null,null,null]"}},
       {R"({"type": "array", "uniqueItems": false})", {"[1,1]"}, {}}});
}

TEST(JsonSchema, KeepsPropertiesOfObjects) {
  check({{R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {}},
            "required": ["b"]})",
          {R"({"b":"x"})", R"({"a":1,"b":"x"})", R"({"a": 1, "b": "x", "c": null})", R"({"b":"x","c":[]})"},
          {"{}", R"({"a":1})", R"({"a":1,"c":2})", R"({"b":"x","a":1})", R"({"b":"x",})", R"({"b":1})",
           R"({"b":"x","d":1})"}},
         {R"({"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})",
          {"{}", R"({"a":1})", R"({"b":1})", R"({"a":1,"b":2})"},
          {R"({,"b":1})", R"({"a":1,})"}},
         {R"({"type": "object", "additionalProperties": {"type": "integer"}})",
          {"{}", R"({"x":1})", R"({"x":1, "y":2})"},
          {R"({"x":"1"})"}},
         {R"({"properties": {"ab": {"type": "integer"}}, "additionalProperties": {"type": "null"}})",
          {"{}", R"({"ab":1})", R"({"ab":1,"a":null,"abc":null,"":null})", R"({"b":null})"},
          {R"({"ab":null})", R"({"ab":1,"ab":null})", R"({"\u0061b":null})"}},
         {R"({"type": "object", "required": ["x"]})", {R"({"x":[1]})"}, {"{}", R"({"y":1})"}},
         {R"({"type": "object", "properties": {"q\"\n": {}}, "required": ["q\"\n"]})",
          {R"({"q\"\n":1})"},
          {"{}"}},
         {R"({"type": "object", "properties": {}, "additionalProperties": false})",
          {"{}", "{ }"},
          {R"({"a":1})"}}});
}

TEST(JsonSchema, FollowsReferencesAlsoToItself) {
  check({{R"({"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}},
              "additionalProperties": false}}, "$ref": "#/$defs/node"})",
          {"{}", R"({"next":{"next":{}}})"},
          {R"({"next":1})"}},
         {R"({"type": "array", "items": {"$ref": "#"}})", {"[]", "[[],[[]]]"}, {"[1]"}},
         {R"({"definitions": {"a/b~c": {"const": 1}}, "allOf": [{"$ref": "#/definitions/a~1b~0c"}]})",
          {"1"},
          {"2"}}});
}

TEST(JsonSchema, PutsTogetherAllOfAndTakesOneOfAsAnyOf) {
  check({{R"({"allOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]},
                        {"properties": {"b": {"const": 2}}, "required": ["b"]}]})",
          {R"({"a":1,"b":2})"},
          {R"({"a":1})", R"({"b":2})"}},
         {R"({"oneOf": [{"type": "object", "properties": {"kind": {"const": "x"}}, "required": ["kind"]},
                        {"type": "object", "properties": {"kind": {"const": "y"}}, "required": ["kind"]},
                        {"type": "null"}]})",
          {R"({"kind":"x"})", R"({"kind":"y"})", "null"},
          {R"({"kind":"z"})"}},
         {R"({"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 3}, {"type": "integer"}]})",
          {R"("abcd")", R"("abc")", "5"},
          {"null"}}});
}

TEST(JsonSchema, CountsMultiples) {
  check({{R"({"type": "integer", "multipleOf": 7})",
          {"0", "7", "-14", "700", "-49", "123456789012345678901235"},
          {"1", "8", "-0", "07", "-5", "00", "7.0", "123456789012345678901234"}},
         {R"({"type": "number", "multipleOf": 5, "minimum": 0})", {"0", "5", "10"}, {"-5", "3", "5.0"}},
         {R"({"type": "integer", "multipleOf": 3, "exclusiveMinimum": 0})", {"3", "12"}, {"0", "-3", "4"}},
         {R"({"type": "integer", "multipleOf": 3, "maximum": -2})", {"-3", "-12"}, {"0", "3", "-4"}},
         {R"({"type": "integer", "multipleOf": 25, "minimum": 10, "maximum": 100})",
          {"25", "50", "75", "100"},
          {"0", "10", "125"}},
         {R"({"type": "integer", "multipleOf": 1000, "minimum": -1000000, "maximum": -999000})",
          {"-1000000", "-999000"},
          {"0", "-998000"}},
         {R"({"type": "integer", "multipleOf": 1})", {"0", "-12"}, {"0.5"}},
         {R"({"type": "number", "multipleOf": 0.01})", {"0", "1.5", "-12.25", "3"}, {"1.255", "1e5"}},
         {R"({"type": "number", "multipleOf": 0.1, "minimum": 0, "maximum": 2})",
          {"0.5", "2"},
          {"0.25", "2.1"}},
         {R"({"type": "integer", "multipleOf": 0.01})", {"5"}, {"5.1"}}});
}

TEST(JsonSchema, KeepsKeysToOnePattern) {
  check({{R"({"type": "object", "patternProperties": {"^[a-z]{2}$": {"type": "integer"}}})",
          {"{}", R"({"ab":1})", R"({"ab":1,"cd":2})"},
          {R"({"a":1})", R"({"ab":"x"})", R"({"abc":1})", R"({"ab":1,})"}},
         {R"({"patternProperties": {"^x-": {}}, "additionalProperties": false})",
          {R"({"x-y":null})"},
          {R"({"y":null})"}},
         {R"({"type": "object", "patternProperties": {}, "properties": {"a": {"const": 1}}})",
          {R"({"a":1})"},
          {}}});
}

TEST(JsonSchema, NamesWhatItCannotKeep) {
  const std::vector<std::pair<std::string_view, std::string_view>> wrong = {
      {"", "no valid JSON"},
      {"{", "no valid JSON"},
      {"5", "expected an object or true"},
      {"false", "nothing satisfies"},
      {R"({"type": "text"})", "#: found the type text"},
      {R"({"type": 5})", "#/type: found number"},
      {R"({"type": []})", "#/type"},
      {R"({"properties": {"a": {"not": {}}}})", "#/properties/a: the keyword not is not supported"},
      {R"({"type": "object", "patternProperties": 5})", "#/patternProperties"},
      {R"({"patternProperties": {"a": {}, "b": {}}})", "with one pattern"},
      {R"({"patternProperties": {"a": {}}, "properties": {"b": {}}})", "with one pattern"},
      {R"({"patternProperties": {"a": {}}, "additionalProperties": true})", "with one pattern"},
      {R"x({"patternProperties": {"(": {}}})x", "pattern"},
      {R"({"if": {}, "then": {}})", "the keyword if is not supported"},
      {R"({"type": "array", "uniqueItems": true})", "uniqueItems"},
      {R"({"type": "integer", "multipleOf": 0})", "#/multipleOf"},
      {R"({"type": "integer", "multipleOf": -2})", "#/multipleOf"},
      {R"({"type": "number", "multipleOf": 2.5})", "#/multipleOf"},
      {R"({"type": "integer", "multipleOf": 1e9})", "#/multipleOf"},
      {R"({"type": "integer", "multipleOf": "2"})", "#/multipleOf"},
      {R"({"type": "integer", "multipleOf": 7, "minimum": 100})", "multipleOf beside these bounds"},
      {R"({"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 5})",
       "multipleOf beside these bounds"},
      {R"({"type": "integer", "multipleOf": 7, "minimum": 0, "maximum": 1e15})",
       "multipleOf beside these bounds"},
      {R"({"type": "integer", "minimum": 3, "maximum": 2})", "no whole number"},
      {R"({"type": "integer", "minimum": 1e300})", "#/minimum"},
      {R"({"type": "string", "minLength": -1})", "#/minLength"},
      {R"({"type": "string", "minLength": 3, "maxLength": 2})", "above"},
      {R"({"type": "string", "maxLength": 1e9})", "#/maxLength"},
      {R"x({"type": "string", "pattern": "(?=a)"})x", "pattern"},
      {R"({"type": "string", "pattern": "a", "maxLength": 2})", "beside"},
      {R"({"type": "string", "pattern": 5})", "#/pattern"},
      {R"({"anyOf": []})", "#/anyOf"},
      {R"({"anyOf": [{}], "type": "string"})", "type is not supported here"},
      {R"({"allOf": [{"type": "string"}, {"type": "integer"}]})", "two different values of type"},
      {R"({"allOf": [{"properties": {"a": {}}, "additionalProperties": false}, {"properties": {"b": {}}}]})",
       "additionalProperties in one of several"},
      {R"({"allOf": [{"$ref": "#/$defs/a", "minimum": 3}], "$defs": {"a": {"type": "integer"}}})",
       "minimum is not supported here"},
      {R"({"allOf": [{"$ref": "#"}]})", "nested deeper"},
      {R"({"allOf": [5]})", "#/allOf"},
      {R"({"enum": []})", "no value"},
      {R"({"enum": 5})", "#/enum"},
      {R"({"$ref": "#/nothing"})", "leads to nothing"},
      {R"({"$ref": "http://example.com/a"})", "within the schema"},
      {R"({"$ref": 5})", "#/$ref"},
      {R"({"$ref": "#"})", "left recursion"},
      {R"({"required": 5})", "#/required"},
      {R"({"properties": 5})", "#/properties"},
      {R"({"properties": {"a": {}}, "required": ["b"], "additionalProperties": false})", "forbids"},
      {R"({"type": "array", "minItems": 3, "maxItems": 2})", "above"},
      {R"({"prefixItems": 5})", "#/prefixItems"}};
  for (const auto& [schema, message] : wrong) {
    const auto made = parse_json_schema(schema);
    EXPECT_TRUE(made.ok() || made.error().kind == ErrorKind::invalid_argument) << schema;
    EXPECT_THAT(read(schema).error(), HasSubstr(std::string(message))) << schema;
  }
}

TEST(JsonSchema, RefusesWhatIsTooDeepOrTooLarge) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += R"({"items":)";
  deep += "{}" + std::string(100, '}');
  EXPECT_THAT(read(deep).error(), HasSubstr("nested deeper"));
  EXPECT_THAT(read(std::string(100'000, '[')).error(), HasSubstr("nested deeper"));
  EXPECT_THAT(read(std::string(2'000'000, ' ')).error(), HasSubstr("at most"));
  EXPECT_THAT(read(R"({"type": "array", "minItems": 100000, "items": {"type": "array", "minItems": 100000}})")
                  .error(),
              HasSubstr("too large"));
  std::string wide;
  for (int i = 0; i < 20'000; ++i) wide += fmt::format(R"({}"p{}": {{}})", i == 0 ? "" : ",", i);
  EXPECT_THAT(read(R"({"properties": {)" + wide + "}}").error(), HasSubstr("more than 1024 members"));
  std::string many;  // schemas
  for (int i = 0; i < 20'000; ++i) many += i == 0 ? "{}" : ",{}";
  EXPECT_THAT(read(R"({"anyOf": [)" + many + "]}").error(), HasSubstr("more than"));
}

}  // namespace
}  // namespace plm::grammar
