// Chats of OpenAI's newer form and of Anthropic's become those of /v1/chat/completions.
#include "server/chat_forms.h"

#include <gtest/gtest.h>

namespace plm::server {
namespace {

std::string refusal(const Result<Json>& chat) { return chat.ok() ? std::string() : chat.error().message; }

Json call(std::string_view id, std::string_view name, Json arguments) {
  return {{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
}

TEST(ChatFromResponses, HasInstructionsAndInputAsMessages) {
  const auto chat = chat_from_responses(Json::parse(
      R"({"instructions": "Be kind.", "input": "Hi", "temperature": 0.5, "max_output_tokens": 7})"));
  ASSERT_TRUE(chat.ok()) << refusal(chat);
  EXPECT_EQ((*chat)["messages"],
            Json::parse(R"([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}])"));
  EXPECT_EQ((*chat)["max_tokens"], 7);
  EXPECT_EQ((*chat)["temperature"], 0.5);
}

TEST(ChatFromResponses, GivesCallsToTheMessageBeforeThem) {
  const auto chat = chat_from_responses(Json::parse(R"({"input": [
      {"role": "user", "content": "Hi"},
      {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
      {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{\"x\": 1}"},
      {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{}"},
      {"type": "function_call_output", "call_id": "1", "output": "one"},
      {"type": "function_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "two"}]},
      {"type": "function_call", "call_id": "3", "name": "f", "arguments": "{}"}]})"));
  ASSERT_TRUE(chat.ok()) << refusal(chat);
  const Json& messages = (*chat)["messages"];
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[1]["content"][0]["text"], "Let me see.");
  EXPECT_EQ(messages[1]["tool_calls"], Json::array({call("1", "f", R"({"x": 1})"), call("2", "g", "{}")}));
  EXPECT_EQ(messages[2], Json::parse(R"({"role": "tool", "tool_call_id": "1", "content": "one"})"));
  EXPECT_EQ(messages[3]["content"][0]["text"], "two");
  EXPECT_EQ(messages[4]["role"], "assistant");
  EXPECT_EQ(messages[4]["tool_calls"].size(), 1U);
}

TEST(ChatFromResponses, HasToolsAndTheFormOfTheAnswerInTheirPlaces) {
  const auto chat = chat_from_responses(Json::parse(R"({"input": "Hi",
      "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}],
      "tool_choice": {"type": "function", "name": "f"},
      "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "integer"}}}})"));
  ASSERT_TRUE(chat.ok()) << refusal(chat);
  EXPECT_EQ((*chat)["tools"], Json::parse(R"([{"type": "function", "function":
      {"name": "f", "description": "d", "parameters": {"type": "object"}}}])"));
  EXPECT_EQ((*chat)["tool_choice"], Json::parse(R"({"type": "function", "function": {"name": "f"}})"));
  EXPECT_EQ((*chat)["response_format"]["json_schema"]["schema"]["type"], "integer");
}

TEST(ChatFromResponses, NamesWhatItCannotDo) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({"input": 5})", "field input:"},
      {R"({"input": [5]})", "field input:"},
      {R"({"input": [{"type": "reasoning"}]})", "field input[0].type:"},
      {R"({"input": [{"type": "function_call", "name": "f"}]})", "field input[0].call_id:"},
      {R"({"input": [{"type": "function_call_output", "call_id": "1", "output": 5}]})",
       "field input[0].output:"},
      {R"({"input": "a", "tools": 5})", "field tools:"},
      {R"({"input": "a", "tools": [{"type": "web_search"}]})", "field tools[0].type:"},
      {R"({"input": "a", "tools": [{"type": "function"}]})", "field tools[0].name:"},
      {R"({"input": "a", "tools": [{"type": "function", "name": "f", "parameters": 5}]})",
       "field tools[0].parameters:"},
      {R"({"input": "a", "tool_choice": {"type": "mcp"}})", "field tool_choice.type:"},
      {R"({"input": "a", "text": {"format": {"type": "x"}}})", "field text.format.type:"},
      {R"({"input": "a", "text": {"format": {"type": "json_schema"}}})", "field text.format.schema:"},
      {R"({"input": "a", "previous_response_id": "resp_1"})", "field previous_response_id:"},
      {R"({"input": "a", "background": true})", "field background:"}};
  for (const auto& [body, beginning] : cases) {
    const std::string message = refusal(chat_from_responses(Json::parse(body)));
    EXPECT_TRUE(message.starts_with(beginning)) << body << ": " << message;
  }
}

TEST(ChatFromMessages, TakesMessagesApartAtWhatToolsSaid) {
  const auto chat =
      chat_from_messages(Json::parse(R"({"system": "Be kind.", "stop_sequences": ["x"], "messages": [
      {"role": "user", "content": "Hi"},
      {"role": "assistant", "content": [{"type": "text", "text": "Let me see."},
                                        {"type": "tool_use", "id": "1", "name": "f", "input": {"x": 1}}]},
      {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "one"},
                                   {"type": "text", "text": "And?"}]},
      {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "2"}]}]})"));
  ASSERT_TRUE(chat.ok()) << refusal(chat);
  const Json& messages = (*chat)["messages"];
  ASSERT_EQ(messages.size(), 6U);
  EXPECT_EQ(messages[0]["content"], "Be kind.");
  EXPECT_EQ(messages[2]["content"], Json::parse(R"([{"type": "text", "text": "Let me see."}])"));
  EXPECT_EQ(messages[2]["tool_calls"], Json::array({call("1", "f", {{"x", 1}})}));
  EXPECT_EQ(messages[3], Json::parse(R"({"role": "tool", "tool_call_id": "1", "content": "one"})"));
  EXPECT_EQ(messages[4]["content"][0]["text"], "And?");
  EXPECT_EQ(messages[5]["content"], "");
  EXPECT_EQ((*chat)["stop"], Json::parse(R"(["x"])"));
}

TEST(ChatFromMessages, HasToolsAndTheChoiceInTheirPlaces) {
  const auto choice_of = [](std::string_view choice) {
    Json body = Json::parse(R"({"messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}, {"type": "custom", "name": "g"}]})");
    body["tool_choice"] = Json::parse(choice);
    return *chat_from_messages(body);
  };
  const Json chat = choice_of(R"({"type": "tool", "name": "f"})");
  EXPECT_EQ(chat["tools"][0]["function"]["parameters"]["type"], "object");
  EXPECT_EQ(chat["tools"][1]["function"]["name"], "g");
  EXPECT_EQ(chat["tool_choice"]["function"]["name"], "f");
  EXPECT_EQ(choice_of(R"({"type": "any"})")["tool_choice"], "required");
  EXPECT_EQ(choice_of(R"({"type": "auto"})")["tool_choice"], "auto");
  EXPECT_EQ(choice_of(R"({"type": "none"})")["tool_choice"], "none");
  EXPECT_TRUE(choice_of("null")["tool_choice"].is_null());
}

TEST(ChatFromMessages, NamesWhatItCannotDo) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({"messages": []})", "field messages:"},
      {R"({"messages": [{"content": [{"type": "tool_use", "id": "1"}]}]})",
       "field messages[0].content[0].name:"},
      {R"({"messages": [{"content": [{"type": "tool_use", "id": "1", "name": "f", "input": 5}]}]})",
       "field messages[0].content[0].input:"},
      {R"({"messages": [{"content": [{"type": "tool_result"}]}]})",
       "field messages[0].content[0].tool_use_id:"},
      {R"({"messages": [5], "tools": [{"type": "bash_20250124", "name": "bash"}]})", "field tools[0].type:"},
      {R"({"messages": [5], "tools": [{"name": "f", "input_schema": 5}]})", "field tools[0].input_schema:"},
      {R"({"messages": [5], "tool_choice": "any"})", "field tool_choice:"},
      {R"({"messages": [5], "tool_choice": {"type": "x"}})", "field tool_choice.type:"},
      {R"({"messages": [5], "tool_choice": {"type": "tool"}})", "field tool_choice.name:"},
      {R"({"messages": [5], "stop_sequences": "x"})", "field stop_sequences:"}};
  for (const auto& [body, beginning] : cases) {
    const std::string message = refusal(chat_from_messages(Json::parse(body)));
    EXPECT_TRUE(message.starts_with(beginning)) << body << ": " << message;
  }
}

}  // namespace
}  // namespace plm::server
