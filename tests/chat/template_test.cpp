#include "chat/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../tokenizer/small_vocabularies.h"

namespace plm::chat {
namespace {

using ::testing::HasSubstr;
using namespace plm::tokenizer;

const std::vector<Message> kTalk = {{.role = "user", .content = "Hi"},
                                    {.role = "assistant", .content = "Hello."},
                                    {.role = "user", .content = "Bye"}};

constexpr const char* kQwen2 =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
    "'<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + "
    "message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if "
    "add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

Tokenizer tokenizer_with(std::string source, bool adds_bos = false) {
  VocabularyData data = byte_level_vocabulary();
  data.bos_id = add_token(data, "<s>", kControl);
  data.eos_id = add_token(data, "</s>", kControl);
  data.add_bos = adds_bos;
  data.chat_template = std::move(source);
  auto tokenizer = Tokenizer::create(std::move(data));
  PLM_CHECK(tokenizer.ok());
  return *std::move(tokenizer);
}

std::string render(const Result<Template>& made, const std::vector<Message>& messages, bool prompt = false,
                   const Json& more = Json::object()) {
  if (!made.ok()) return "error: " + made.error().message;
  const auto text = made->render(messages, {.add_generation_prompt = prompt, .more = more});
  return text.ok() ? *text : "error: " + text.error().message;
}
std::string by_name(std::string_view name, const std::vector<Message>& messages, bool prompt = false) {
  return render(Template::create(tokenizer_with(""), name), messages, prompt);
}

TEST(ChatTemplate, RunsTheFilesOwn) {
  const auto made = Template::create(tokenizer_with(kQwen2));
  EXPECT_EQ(render(made, {{.role = "user", .content = "Hi"}}, true),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_EQ(render(made, {{.role = "system", .content = "S"}, {.role = "user", .content = ""}}),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n<|im_end|>\n");
  EXPECT_EQ(made->name(), "");
  EXPECT_FALSE(made->knows_tools());
}

TEST(ChatTemplate, TakesANameOrATextInPlaceOfTheFilesOwn) {
  const Tokenizer tokenizer = tokenizer_with(kQwen2);
  EXPECT_EQ(render(Template::create(tokenizer, "{{ messages[0].content }}{{ x }}"), kTalk, false, {{"x", 1}}),
            "Hi1");
  EXPECT_THAT(render(Template::create(tokenizer, "chatnl"), kTalk),
              HasSubstr("expected one of chatml, llama2"));
  EXPECT_THAT(render(Template::create(tokenizer, "{{ oops"), kTalk), HasSubstr("chat template: line 1"));
}

TEST(ChatTemplate, HasBuiltInOnes) {
  EXPECT_EQ(by_name("chatml", kTalk, true),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nBye"
            "<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(by_name("llama3", {{.role = "user", .content = " Hi \n"}}, true),
            "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant"
            "<|end_header_id|>\n\n");
  EXPECT_EQ(by_name("llama2", {{.role = "system", .content = "S"},
                               {.role = "user", .content = "Hi"},
                               {.role = "assistant", .content = "Yo"},
                               {.role = "user", .content = "Bye"}}),
            "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nHi [/INST] Yo </s><s>[INST] Bye [/INST]");
  EXPECT_EQ(by_name("phi3", {{.role = "user", .content = "Hi"}}, true),
            "<|user|>\nHi<|end|>\n<|assistant|>\n");
  EXPECT_EQ(by_name("zephyr", {{.role = "user", .content = "Hi"}}, true),
            "<|user|>\nHi<|endoftext|>\n<|assistant|>\n");
}

TEST(ChatTemplate, IsPlainTextForAModelWithoutOne) {
  const auto made = Template::create(tokenizer_with(""));
  EXPECT_EQ(render(made, kTalk, true), "User: Hi\nAssistant: Hello.\nUser: Bye\nAssistant:");
  EXPECT_EQ(made->name(), "plain");
  EXPECT_EQ(made->stop_texts(), (std::vector<std::string>{"\nUser:"}));
}

TEST(ChatTemplate, LeavesOutWhatTheTokenizerAdds) {
  constexpr const char* kSource = "{{ bos_token }}{{ messages[0].content }}";
  EXPECT_EQ(render(Template::create(tokenizer_with(kSource)), kTalk), "<s>Hi");
  EXPECT_EQ(render(Template::create(tokenizer_with(kSource, true)), kTalk), "Hi");
}

TEST(ChatTemplate, GivesToolsAndCallsAsValuesOrAsTextWhereTheTemplateWantsIt) {
  const auto messages = messages_from_json(Json::parse(
      R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"x\": 1}"}}]}])"));
  ASSERT_TRUE(messages.ok());
  const auto values = Template::create(tokenizer_with(
      "{{ tools[0].function.name }} {{ messages[0].tool_calls[0].function.arguments.x + 1 }}"));
  const Json tools = Json::parse(R"([{"type":"function","function":{"name":"f"}}])");
  const auto text = values->render(*messages, {.tools = tools});
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_EQ(*text, "f 2");
  EXPECT_TRUE(values->knows_tools());
  EXPECT_EQ(
      render(Template::create(tokenizer_with("{{ '' + messages[0].tool_calls[0].function.arguments }}")),
             *messages),
      R"({"x":1})");
}

TEST(ChatTemplate, SaysWhyItRefusesAConversation) {
  const auto made = Template::create(tokenizer_with("{{ raise_exception('Roles must alternate') }}"));
  EXPECT_EQ(render(made, kTalk),
            "error: tokenizer.chat_template: line 1: the template refuses: Roles must alternate");
}

TEST(ChatTemplate, KnowsWhereTheFirstTurnBegins) {
  const auto qwen = Template::create(tokenizer_with(kQwen2));
  const std::string own = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n";
  EXPECT_EQ(qwen->opening(kTalk, {}), own);
  EXPECT_EQ(qwen->opening({}, {}), own);
  EXPECT_EQ(qwen->opening(std::vector<Message>{{.role = "system", .content = "S"}}, {}),
            "<|im_start|>system\nS<|im_end|>\n");
  EXPECT_EQ(Template::create(tokenizer_with(""))->opening(kTalk, {}), "");
}

}  // namespace
}  // namespace plm::chat
