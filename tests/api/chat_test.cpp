#include <fmt/format.h>
#include <gtest/gtest.h>

#include "story_model.h"

namespace plm {
namespace {

class ChatTest : public StoryModelTest {
 protected:
  static Model with_template(std::string source) {
    ModelOptions options = story_options();
    options.chat_template = std::move(source);
    return load(options);
  }
};

const std::vector<Message> kHello = {{.role = "system", .content = "Be brief."},
                                     {.role = "user", .content = "Tell me of a dog."}};

TEST_F(ChatTest, TheTemplateWritesThePrompt) {
  const Model model = with_template("chatml");
  const auto prompt = model.chat_prompt(kHello);
  ASSERT_TRUE(prompt.ok()) << prompt.error().message;
  EXPECT_EQ(*prompt,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nTell me of a dog.<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_EQ(model.chat_prompt(kHello, {.add_generation_prompt = false})->find("assistant"),
            std::string::npos);
}

TEST_F(ChatTest, AnswersAsGenerateDoesAfterThatPrompt) {
  std::string text;
  const auto answer = model_.chat(kHello, {}, greedy(12), [&](const Piece& piece) {
    text += piece.text;
    return true;
  });
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->text, text);
  const auto continued = model_.generate(*model_.chat_prompt(kHello), greedy(12));
  ASSERT_TRUE(continued.ok());
  EXPECT_EQ(answer->text, continued->text.substr(0, answer->text.size()));
}

TEST_F(ChatTest, TellsCallsOfTools) {
  const Model model = with_template("{% if tools %}{{ tools | length }}{% endif %}{{ messages[0].content }}");
  GenerateOptions options = greedy(100);
  options.grammar =
      R"(root ::= "Wait." "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": \"Rome\"}}\n</tool_call>")";
  const ChatOptions tools{.tools = R"([{"type": "function", "function": {"name": "weather"}}])"};
  std::string text;
  std::vector<ToolCall> calls;
  const auto answer = model.chat(kHello, tools, options, [&](const Piece& piece) {
    text += piece.text;
    calls.insert(calls.end(), piece.tool_calls.begin(), piece.tool_calls.end());
    return true;
  });
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->text, "Wait.");
  EXPECT_EQ(text, "Wait.");
  ASSERT_EQ(answer->tool_calls.size(), 1);
  ASSERT_EQ(calls.size(), 1);
  EXPECT_EQ(calls[0].name, "weather");
  EXPECT_EQ(answer->tool_calls[0].name, "weather");
  EXPECT_NE(answer->tool_calls[0].arguments.find("Rome"), std::string::npos);
}

TEST_F(ChatTest, ATemplateWithoutToolsRefusesThem) {
  const ChatOptions tools{.tools = R"([{"type": "function", "function": {"name": "weather"}}])"};
  EXPECT_EQ(failure(with_template("{{ messages[0].content }}").chat(kHello, tools)), ErrorKind::unsupported);
}

TEST_F(ChatTest, TemplateVariablesReachTheTemplate) {
  const Model model = with_template("{{ mood }}");
  EXPECT_EQ(*model.chat_prompt(kHello, {.template_variables = R"({"mood": "merry"})"}), "merry");
  EXPECT_EQ(failure(model.chat_prompt(kHello, {.template_variables = "[]"})), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(model.chat_prompt(kHello, {.template_variables = "{"})), ErrorKind::invalid_argument);
  for (const char* name : {"messages", "tools", "add_generation_prompt"}) {
    const auto prompt =
        model.chat_prompt(kHello, {.template_variables = fmt::format(R"({{"{}": []}})", name)});
    EXPECT_EQ(
        prompt.error().message,
        fmt::format("template_variables: found \"{}\", which is given to the template by itself", name));
  }
}

TEST_F(ChatTest, RefusesConversationsThatAreNone) {
  EXPECT_EQ(failure(model_.chat({})), ErrorKind::invalid_argument);
  const std::vector<Message> nobody = {{.role = "", .content = "x"}};
  EXPECT_EQ(failure(model_.chat(nobody)), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(model_.chat(kHello, {.tools = "no JSON"})), ErrorKind::invalid_argument);
  EXPECT_EQ(failure(model_.chat(kHello, {.tools = std::string(100000, '[')})), ErrorKind::invalid_argument);
  const std::vector<Message> long_one = {{.role = "user", .content = std::string(5000, 'x')}};
  EXPECT_EQ(failure(model_.chat(long_one)), ErrorKind::invalid_argument);
}

TEST_F(ChatTest, ReadsMessagesOfOpenAi) {
  const auto messages = messages_from_json(R"([
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "assistant", "content": null, "tool_calls": [
      {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "2"}])");
  ASSERT_TRUE(messages.ok()) << messages.error().message;
  ASSERT_EQ(messages->size(), 3);
  EXPECT_EQ((*messages)[0].content, "ab");
  EXPECT_EQ((*messages)[1].tool_calls.front().id, "1");
  EXPECT_EQ((*messages)[1].tool_calls.front().arguments, R"({"x":1})");
  EXPECT_EQ((*messages)[2].tool_call_id, "1");
  for (const char* bad : {"", "{", "{}", "[1]", "[{}]", R"([{"role": 1}])", "[{\"role\": \"\xff\"}]"}) {
    EXPECT_EQ(failure(messages_from_json(bad)), ErrorKind::invalid_argument) << bad;
  }
  EXPECT_EQ(failure(messages_from_json(std::string(1000000, '['))), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace plm
