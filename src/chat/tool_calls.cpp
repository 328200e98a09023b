#include "chat/tool_calls.h"

#include <algorithm>
#include <optional>

#include "base/json_shape.h"

namespace plm::chat {

namespace {

constexpr int kMaxCallDepth = 64;
constexpr std::string_view kBlanks = " \t\r\n";

std::optional<ToolCall> read_call(std::string_view text) {
  if (json_shape(text).depth > kMaxCallDepth) return std::nullopt;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("name") || !json["name"].is_string()) return std::nullopt;
  ToolCall call{.name = json["name"].get<std::string>(), .arguments = "{}"};
  if (!json.contains("arguments") || json["arguments"].is_null()) return call;
  const Json& arguments = json["arguments"];
  if (arguments.is_string()) {
    call.arguments = arguments.get<std::string>();
    if (json_shape(call.arguments).depth > kMaxCallDepth) return std::nullopt;
    if (!Json::parse(call.arguments, nullptr, false).is_object()) return std::nullopt;
    return call;
  }
  if (!arguments.is_object()) return std::nullopt;
  call.arguments = arguments.dump(-1, ' ', false, Json::error_handler_t::replace);
  return call;
}

// How many bytes at the end of the text are a beginning of `tag`.
size_t partial_tag(std::string_view text, std::string_view tag) {
  for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n) {
    if (text.ends_with(tag.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

// Blanks wait until it is known whether a call follows: what models write between calls is no content.
void ToolCallReader::add_content(Part& part, std::string_view text) {
  blanks_ += text;
  const size_t last = blanks_.find_last_not_of(kBlanks);
  if (last == std::string::npos) return;
  part.content += std::string_view(blanks_).substr(0, last + 1);
  blanks_.erase(0, last + 1);
}

void ToolCallReader::take_content(Part& part) {
  const size_t begin = kept_.find(kToolCallBegin);
  const size_t n = begin != std::string::npos ? begin : kept_.size() - partial_tag(kept_, kToolCallBegin);
  add_content(part, std::string_view(kept_).substr(0, n));
  kept_.erase(0, n);
}

// A block at the beginning of what is kept, when it is whole.
bool ToolCallReader::take_block(Part& part) {
  if (!kept_.starts_with(kToolCallBegin)) return false;
  const size_t end = kept_.find(kToolCallEnd, kToolCallBegin.size());
  if (end == std::string::npos) return false;
  const std::string_view inner =
      std::string_view(kept_).substr(kToolCallBegin.size(), end - kToolCallBegin.size());
  const size_t n = end + kToolCallEnd.size();
  if (auto call = read_call(inner)) {
    part.calls.push_back(*std::move(call));
    blanks_.clear();
  } else {
    add_content(part, std::string_view(kept_).substr(0, n));
  }
  kept_.erase(0, n);
  return true;
}

ToolCallReader::Part ToolCallReader::push(std::string_view text) {
  Part part;
  kept_ += text;
  do {
    take_content(part);
  } while (take_block(part));
  return part;
}

ToolCallReader::Part ToolCallReader::finish() {
  Part part;
  if (kept_.starts_with(kToolCallBegin)) {
    if (auto call = read_call(std::string_view(kept_).substr(kToolCallBegin.size()))) {
      part.calls.push_back(*std::move(call));
      kept_.clear();
      blanks_.clear();
    }
  }
  part.content = std::move(blanks_) + kept_;
  blanks_.clear();
  kept_.clear();
  return part;
}

}  // namespace plm::chat
