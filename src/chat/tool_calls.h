// Calls of tools in an answer, as Qwen's and Hermes' models write them:
//   <tool_call>
//   {"name": "weather", "arguments": {"place": "Rome"}}
//   </tool_call>
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/message.h"

namespace plm::chat {

inline constexpr std::string_view kToolCallBegin = "<tool_call>";
inline constexpr std::string_view kToolCallEnd = "</tool_call>";

struct ToolCall {
  std::string name;
  std::string arguments;  // a JSON object as text
};

// Takes an answer apart while it is written.
class ToolCallReader {
 public:
  struct Part {
    std::string content;  // text outside of calls
    std::vector<ToolCall> calls;
  };

  // What can be told after these further bytes. Text that may be the beginning of a call is kept back; a
  // block that holds no call is content, as it stands.
  Part push(std::string_view text);

  // The end of the answer: what was kept back is content, but for a call that lacks nothing but its closing
  // tag.
  Part finish();

 private:
  bool take_block(Part& part);
  void take_content(Part& part);
  void add_content(Part& part, std::string_view text);

  std::string kept_;
  std::string blanks_;  // at the end of the content: dropped where a call follows
};

}  // namespace plm::chat
