// What requests are read into: JSON, its fields, sampling, and who may ask.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "runtime/vocabulary_file.h"
#include "server/access.h"
#include "server/chat_prompt.h"
#include "server/generation.h"

namespace plm::server {
namespace {

const tokenizer::Tokenizer& bundled_tokenizer() {
  static const tokenizer::Tokenizer tokenizer = [] {
    auto file = gguf::File::open(PLM_SOURCE_DIR "/models/story-7m-f16.gguf");
    return *runtime::load_tokenizer(*file);
  }();
  return tokenizer;
}

Result<Generation> read(std::string_view body) {
  PLM_TRY(const Json json, parse_json_object(body));
  return read_generation(Fields(json), {}, bundled_tokenizer());
}

std::string refusal(std::string_view body) {
  const auto made = read(body);
  return made.ok() ? std::string() : made.error().message;
}

TEST(JsonBody, IsAnObjectWithinLimits) {
  EXPECT_TRUE(parse_json_object(R"({"a": [1, {"b": null}], "c": "[[[[" })").ok());
  for (const std::string_view text :
       {"", "[]", "5", "{", "{}x", "{\"a\": 1e999}", "{\"a\": NaN}", "{\"a\": \"\xff\"}"}) {
    EXPECT_FALSE(parse_json_object(text).ok()) << text;
  }
  const auto nested = [](int depth) {
    return "{\"a\":" + std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']') + "}";
  };
  EXPECT_TRUE(parse_json_object(nested(kMaxJsonDepth - 1)).ok());
  EXPECT_FALSE(parse_json_object(nested(kMaxJsonDepth)).ok());
  EXPECT_FALSE(parse_json_object(std::string(1 << 20, '[')).ok());
  const auto list_of = [](size_t n) {
    std::string text = R"({"a": [0)";
    for (size_t i = 1; i < n; ++i) text += ",0";
    return text + "]}";
  };
  EXPECT_TRUE(parse_json_object(list_of(1'000'000)).ok());
  EXPECT_NE(parse_json_object(list_of(2'000'000)).error().message.find("more than 2000000 values"),
            std::string::npos);
  // Its parser compares each key with all before it: 300,000 of them took minutes.
  const auto members = [](size_t n) {
    std::string text = "{";
    for (size_t i = 0; i < n; ++i) text += fmt::format(R"({}"k{}": 0)", i == 0 ? "" : ", ", i);
    return text + "}";
  };
  EXPECT_TRUE(parse_json_object(members(kMaxJsonMembers)).ok());
  EXPECT_NE(parse_json_object(R"({"a": [)" + members(300'000) + "]}").error().message.find("1024 members"),
            std::string::npos);
}

TEST(JsonFields, AreNamedInErrorsWithWhatWasFound) {
  const Json json =
      Json::parse(R"({"number": "x", "whole": 1.5, "large": 18446744073709551615, "flag": 1, "none": null})");
  const Fields fields(json, "outer.");
  EXPECT_EQ(fields.number("number", 0, 0, 2).error().message,
            "field outer.number: found \"x\", expected a number from 0 to 2");
  EXPECT_FALSE(fields.integer("whole", 0, 0, 2).ok());
  EXPECT_FALSE(fields.integer("large", 0, 0, INT64_MAX).ok());
  EXPECT_FALSE(fields.boolean("flag", true).ok());
  EXPECT_EQ(*fields.integer("none", 7, 0, 9), 7);
  EXPECT_EQ(*fields.text("absent", "default"), "default");
}

TEST(Generation, ReadsOpenAisAndLlamaCppsNames) {
  const auto made = read(
      R"({"temperature": 0.5, "top_k": 7, "max_tokens": 9, "n": 3, "seed": 11, "stop": "a", "stream": true,
      "stream_options": {"include_usage": true}, "samplers": ["top_k", "temperature"], "unknown": {"x": 1},
      "logit_bias": {"5": -100, "6": 1.5}})");
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_FLOAT_EQ(made->request.sampling.temperature, 0.5F);
  EXPECT_EQ(made->request.sampling.top_k, 7);
  EXPECT_EQ(made->request.sampling.chain.size(), 2U);
  EXPECT_EQ(made->request.max_tokens, 9);
  EXPECT_EQ(made->request.stop_texts, std::vector<std::string>{"a"});
  EXPECT_TRUE(made->streams && made->includes_usage);
  EXPECT_TRUE(std::isinf(made->request.sampling.logit_bias[0].second));
  EXPECT_EQ(made->request.reuse, scheduler::Reuse::exact);
  EXPECT_EQ(choice_request(*made, {1}, 2).sampling.seed, 13U);
  EXPECT_EQ(read(R"({"n_predict": 4})")->request.max_tokens, 4);
  EXPECT_EQ(read(R"({"logit_bias": [[5, false], [6, 2]]})")->request.sampling.logit_bias.size(), 2U);
  EXPECT_EQ(read(R"({"seed": -1})")->request.reuse, scheduler::Reuse::all);
  EXPECT_EQ(read(R"({"seed": 1, "cache_prompt": false})")->request.reuse, scheduler::Reuse::none);
  EXPECT_GT(read(R"({"ignore_eos": true})")->request.sampling.logit_bias.size(), 0U);
}

TEST(Generation, RefusesWhatIsOutOfRangeByName) {
  const std::vector<std::pair<std::string_view, std::string_view>> wrong = {
      {R"({"temperature": -0.1})", "temperature"},
      {R"({"temperature": "x"})", "temperature"},
      {R"({"top_p": 1.1})", "top_p"},
      {R"({"top_k": 1e300})", "top_k"},
      {R"({"n": 17})", "n"},
      {R"({"n": 0})", "n"},
      {R"({"max_tokens": -2})", "max_tokens"},
      {R"({"max_tokens": 3000000000})", "max_tokens"},
      {R"({"stop": [1]})", "stop"},
      {R"({"stop": {}})", "stop"},
      {R"({"logit_bias": {"-1": 1}})", "logit_bias"},
      {R"({"logit_bias": {"1x": 1}})", "logit_bias"},
      {R"({"logit_bias": [[1, 1, 1]]})", "logit_bias"},
      {R"({"logit_bias": {"1": 1e7}})", "logit_bias"},
      {R"({"seed": 1.5})", "seed"},
      {R"({"best_of": 2})", "best_of"},
      {R"({"stream_options": []})", "stream_options"},
      {R"({"samplers": "?"})", "?"}};
  for (const auto& [body, name] : wrong) EXPECT_NE(refusal(body).find(name), std::string::npos) << body;
}

TEST(ChatPrompt, TakesTextOnly) {
  const auto render = [](std::string_view body) {
    const Json json = *parse_json_object(body);
    return render_chat(Fields(json), *chat::Template::create(bundled_tokenizer()), chat::Json::object());
  };
  const auto prompt = render(R"({"messages": [{"role": "developer", "content": "S"},
      {"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}]})");
  ASSERT_TRUE(prompt.ok()) << prompt.error().message;
  EXPECT_NE(prompt->text.find("Hello"), std::string::npos);
  EXPECT_EQ(render(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})").error().kind,
            ErrorKind::unsupported);
  EXPECT_FALSE(render(R"({"messages": [{"role": "user"}]})").ok());
  EXPECT_FALSE(render(R"({"messages": {}})").ok());
}

TEST(ChatPrompt, GivesTheTemplateToolsAndVariablesOfTheRequest) {
  const auto chat_template = chat::Template::create(
      bundled_tokenizer(),
      "{{ tools[0].function.name if tools }} {{ x }} {{ y }} {{ add_generation_prompt }}");
  const auto render = [&](std::string_view more) {
    const Json json = *parse_json_object(R"({"messages": [{"role": "user", "content": ""}],
        "tools": [{"type": "function", "function": {"name": "f"}}], )" +
                                         std::string(more) + "}");
    const auto prompt = render_chat(Fields(json), *chat_template, {{"x", 1}, {"y", 2}});
    return prompt.ok() ? prompt->text : prompt.error().message;
  };
  EXPECT_EQ(render(R"("chat_template_kwargs": {"y": 3})"), "f 1 3 True");
  EXPECT_EQ(render(R"("tool_choice": "none", "add_generation_prompt": false)"), " 1 2 False");
  EXPECT_EQ(render(R"("tool_choice": "required")"), "f 1 2 True");
  EXPECT_NE(render(R"("tool_choice": 5)").find("tool_choice"), std::string::npos);
  EXPECT_NE(render(R"("chat_template_kwargs": 5)").find("chat_template_kwargs"), std::string::npos);
}

TEST(ChatPrompt, ThatTheTemplateCannotWriteIsAMistakeOfTheRequest) {
  const Json json = *parse_json_object(R"({"messages": [{"role": "user", "content": "x"}]})");
  for (const char* source : {"{{ raise_exception('no') }}", "{{ messages[0].content + 1 }}"}) {
    const auto prompt =
        render_chat(Fields(json), *chat::Template::create(bundled_tokenizer(), source), chat::Json::object());
    ASSERT_FALSE(prompt.ok());
    EXPECT_EQ(prompt.error().kind, ErrorKind::invalid_argument) << prompt.error().message;
  }
}

TEST(ChatPrompt, TellsOfToolsOnlyATemplateThatKnowsThem) {
  const Json json = *parse_json_object(R"({"messages": [{"role": "user", "content": "x"}],
      "tools": [{"type": "function", "function": {"name": "f"}}]})");
  const auto prompt =
      render_chat(Fields(json), *chat::Template::create(bundled_tokenizer(), "chatml"), chat::Json::object());
  ASSERT_FALSE(prompt.ok());
  EXPECT_EQ(prompt.error().kind, ErrorKind::unsupported);
}

HttpHead head_with(std::vector<std::pair<std::string, std::string>> headers) {
  HttpHead head;
  head.headers = std::move(headers);
  return head;
}

TEST(Access, LocalServersAnswerLocalHostsOnly) {
  const Access access({.api_keys = {}, .cors_origins = {}, .is_local = true, .host = "127.0.0.1"});
  for (const char* host : {"localhost", "localhost:80", "127.0.0.1:8080", "[::1]:8080"}) {
    EXPECT_FALSE(access.check_origin(head_with({{"host", host}}))) << host;
  }
  for (const char* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "[::2]", "["}) {
    EXPECT_TRUE(access.check_origin(head_with({{"host", host}}))) << host;
  }
  EXPECT_FALSE(Access({.is_local = false}).check_origin(head_with({{"host", "box.lan"}})));
}

TEST(Access, PagesOfOtherOriginsNeedToBeNamed) {
  const Access access(
      {.api_keys = {}, .cors_origins = {"https://friend.example"}, .is_local = true, .host = ""});
  const auto asks = [&](const char* origin) {
    return !access.check_origin(head_with({{"host", "localhost:80"}, {"origin", origin}}));
  };
  EXPECT_TRUE(asks("http://localhost:80"));
  EXPECT_TRUE(asks("https://friend.example"));
  for (const char* origin :
       {"null", "http://localhost:81", "http://evil.example", "https://friend.example.evil"}) {
    EXPECT_FALSE(asks(origin)) << origin;
  }
}

TEST(Access, KeysMustBeGivenWhole) {
  const Access access({.api_keys = {"one", "second"}, .cors_origins = {}, .is_local = true, .host = ""});
  const auto knows = [&](const char* name, const char* value) {
    return !access.check_key(head_with({{name, value}}));
  };
  EXPECT_TRUE(knows("authorization", "Bearer one"));
  EXPECT_TRUE(knows("authorization", "Bearer second"));
  EXPECT_TRUE(knows("x-api-key", "one"));
  for (const char* key : {"", "on", "onee", "oneone", "secon", "Second", "one "}) {
    EXPECT_FALSE(knows("x-api-key", key)) << key;
  }
  EXPECT_FALSE(knows("authorization", "one"));
  EXPECT_FALSE(knows("host", "one"));
  EXPECT_FALSE(Access({}).check_key(HttpHead())) << "without keys everybody may ask";
}

}  // namespace
}  // namespace plm::server
