#include "chat/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plm::chat {
namespace {

using ::testing::HasSubstr;

std::string complaint(std::string_view json) {
  const auto messages = messages_from_json(Json::parse(json));
  return messages.ok() ? "none" : messages.error().message;
}

TEST(ChatMessage, ReadsTheFieldsOfARequest) {
  const auto messages = messages_from_json(Json::parse(R"([
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "Ann"},
      {"role": "assistant", "content": null, "reasoning_content": "hm",
       "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
      {"role": "tool", "tool_call_id": "1", "content": "42"}])"));
  ASSERT_TRUE(messages.ok()) << messages.error().message;
  ASSERT_EQ(messages->size(), 4u);
  EXPECT_EQ((*messages)[1].content, "ab");
  EXPECT_EQ((*messages)[1].name, "Ann");
  EXPECT_EQ((*messages)[2].reasoning_content, "hm");
  EXPECT_EQ((*messages)[2].tool_calls[0]["function"]["arguments"]["x"], 1);
  EXPECT_EQ((*messages)[3].tool_call_id, "1");
}

TEST(ChatMessage, SaysWhichFieldOfWhichMessageIsWrong) {
  EXPECT_THAT(complaint("{}"), HasSubstr("messages: found object, expected an array"));
  EXPECT_THAT(complaint("[1]"), HasSubstr("messages[0]: found number"));
  EXPECT_THAT(complaint(R"([{"content": "a"}])"), HasSubstr("messages[0].role"));
  EXPECT_THAT(complaint(R"([{"role": "user", "content": 1}])"),
              HasSubstr("messages[0].content: found number, expected a string"));
  EXPECT_THAT(complaint(R"([{"role": "user", "content": [{"type": "image_url"}]}])"),
              HasSubstr("messages[0].content[0]: expected a text part"));
  EXPECT_THAT(complaint(R"([{"role": "a", "tool_calls": {}}])"), HasSubstr("messages[0].tool_calls"));
  EXPECT_THAT(complaint(R"([{"role": "a", "tool_calls": [{"function": {}}]}])"),
              HasSubstr("messages[0].tool_calls[0]"));
}

TEST(ChatMessage, LeavesArgumentsNestedTooDeepOrTooManyAsText) {
  const std::string deep = R"({"a":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  std::string wide = R"({"k": 0)";
  for (int i = 0; i < 100'000; ++i) wide += fmt::format(R"(,"k{}":0)", i);
  for (const std::string& arguments : {deep, wide + "}"}) {
    const Json call = {{"function", {{"name", "f"}, {"arguments", arguments}}}};
    const auto messages =
        messages_from_json(Json::array({{{"role", "assistant"}, {"tool_calls", Json::array({call})}}}));
    ASSERT_TRUE(messages.ok());
    EXPECT_TRUE(messages->front().tool_calls[0]["function"]["arguments"].is_string());
  }
}

TEST(ChatMessage, ShowsATemplateOnlyTheFieldsThatAreThere) {
  EXPECT_EQ(message_to_json({.role = "user", .content = ""}).dump(), R"({"role":"user","content":""})");
  const auto messages = messages_from_json(Json::parse(
      R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"not JSON"}}]}])"));
  ASSERT_TRUE(messages.ok());
  EXPECT_EQ(
      message_to_json(messages->front()).dump(),
      R"({"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"not JSON"}}]})");
}

TEST(ChatMessage, TakesToolsOnlyWithNames) {
  EXPECT_TRUE(tools_from_json(Json(nullptr))->is_null());
  EXPECT_TRUE(tools_from_json(Json::array())->is_null());
  EXPECT_TRUE(tools_from_json(Json::parse(R"([{"type":"function","function":{"name":"f"}}])"))->is_array());
  EXPECT_THAT(tools_from_json(Json::parse(R"([{"function":{}}])")).error().message, HasSubstr("tools[0]"));
  for (const char* wrong :
       {R"([{"function":{"name":""}}])", R"([{"type":"x","function":{"name":"f"}}])",
        R"([{"function":{"name":"f","description":5}}])", R"([{"function":{"name":"f","parameters":5}}])"}) {
    EXPECT_THAT(tools_from_json(Json::parse(wrong)).error().message, HasSubstr("tools[0]")) << wrong;
  }
  EXPECT_THAT(tools_from_json(Json::parse("{}")).error().message, HasSubstr("tools: found object"));
}

}  // namespace
}  // namespace plm::chat
