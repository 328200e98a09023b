#include "chat/tool_calls.h"

#include <gtest/gtest.h>

namespace plm::chat {
namespace {

struct Answer {
  std::string content;
  std::vector<std::string> calls;  // "name arguments"
  bool operator==(const Answer&) const = default;
};

// Read in pieces of so many bytes.
Answer read(std::string_view text, size_t n_bytes) {
  ToolCallReader reader;
  Answer answer;
  const auto add = [&](const ToolCallReader::Part& part) {
    answer.content += part.content;
    for (const ToolCall& call : part.calls) answer.calls.push_back(call.name + " " + call.arguments);
  };
  for (size_t i = 0; i < text.size(); i += n_bytes) add(reader.push(text.substr(i, n_bytes)));
  add(reader.finish());
  return answer;
}

void expect(std::string_view text, const Answer& expected) {
  for (const size_t n_bytes : {size_t{1}, size_t{3}, size_t{16}, text.size() + 1}) {
    const Answer answer = read(text, n_bytes);
    EXPECT_EQ(answer.content, expected.content) << text << " by " << n_bytes;
    EXPECT_EQ(answer.calls, expected.calls) << text << " by " << n_bytes;
  }
}

TEST(ToolCalls, AreTakenOutOfTheAnswer) {
  expect("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": [1, \"</a>\"]}}\n</tool_call>",
         {"", {R"(f {"x":[1,"</a>"]})"}});
  expect(
      "Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
      "{}}\n</tool_call>\n<tool_call>{\"name\":\"g\"}"
      "</tool_call>",
      {"Let me see.", {"f {}", "g {}"}});
  expect("<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"}</tool_call>", {"", {R"(f {"a": 1})"}});
}

TEST(ToolCalls, LeaveAnAnswerWithoutCallsAsItIs) {
  for (const std::string_view text : {"", "Hello.\n\n", "a < b <tool", "<tool_cal", " <b>bold</b> "}) {
    expect(text, {std::string(text), {}});
  }
}

TEST(ToolCalls, ThatCannotBeReadAreText) {
  for (const std::string_view text :
       {"<tool_call>\nnot JSON\n</tool_call> and on", "<tool_call>{\"name\": 5}</tool_call>",
        "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
        "<tool_call>{\"name\": \"f\", \"arguments\": \"[1]\"}</tool_call>",
        "<tool_call>{\"name\": \"f\", \"arguments\": \"{\"}</tool_call>", "<tool_call>{\"name\": \"f\", "}) {
    expect(text, {std::string(text), {}});
  }
  const std::string deep =
      "<tool_call>{\"name\":\"f\",\"arguments\":" + std::string(10'000, '[') + "</tool_call>";
  EXPECT_EQ(read(deep, 4096), (Answer{deep, {}}));
}

TEST(ToolCalls, NeedNoClosingTagAtTheEnd) {
  expect("So: <tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n", {"So:", {R"(f {"a":1})"}});
}

}  // namespace
}  // namespace plm::chat
