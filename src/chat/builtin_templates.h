// Templates that have a name: for --chat-template NAME, and for files without one.
#pragma once

#include <span>
#include <string_view>

namespace plm::chat {

struct BuiltinTemplate {
  std::string_view name;
  std::string_view source;
};

// In the order of their names.
std::span<const BuiltinTemplate> builtin_templates();

// For a model that was never taught to chat: "User: text\nAssistant: text\n".
inline constexpr std::string_view kPlainTemplate = "plain";

}  // namespace plm::chat
