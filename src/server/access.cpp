#include "server/access.h"

#include <algorithm>
#include <cctype>

namespace plm::server {

namespace {

// "name:port" and "[::1]:port" without the port.
std::string_view host_of(std::string_view authority) {
  const size_t bracket = authority.starts_with('[') ? authority.find(']') : std::string_view::npos;
  const size_t end = bracket == std::string_view::npos ? authority.find(':') : bracket + 1;
  return authority.substr(0, std::min(end, authority.size()));
}

bool is_same_key(std::string_view given, std::string_view key) {
  unsigned difference = given.size() == key.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const char expected = key.empty() ? '\0' : key[i % key.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(given[i] ^ expected));
  }
  return difference == 0;
}

}  // namespace

std::string Access::allowed_origin(const HttpHead& head) const {
  const std::string_view origin = head.header("origin");
  for (const std::string& allowed : options_.cors_origins) {
    if (!origin.empty() && (allowed == "*" || allowed == origin)) return std::string(origin);
  }
  return {};
}

std::optional<Refusal> Access::check_origin(const HttpHead& head) const {
  const std::string_view authority = head.header("host"), host = host_of(authority);
  if (options_.is_local && !host.empty() && host != "localhost" && host != "127.0.0.1" && host != "[::1]" &&
      host != options_.host) {
    return Refusal{403, "the Host header names another machine"};
  }
  const std::string_view origin = head.header("origin");
  if (origin.empty() || !allowed_origin(head).empty()) return {};
  // Pages that we served ourselves.
  const size_t scheme_end = origin.find("://");
  if (scheme_end != std::string_view::npos && origin.substr(scheme_end + 3) == authority) return {};
  return Refusal{403, "pages of this origin may not ask here (--cors-origins)"};
}

std::optional<Refusal> Access::check_key(const HttpHead& head) const {
  if (options_.api_keys.empty()) return {};
  std::string_view given = head.header("x-api-key");
  if (const std::string_view authorization = head.header("authorization"); !authorization.empty()) {
    constexpr std::string_view kBearer = "bearer ";  // in letters of either size
    const bool is_bearer =
        authorization.size() >= kBearer.size() &&
        std::ranges::equal(authorization.substr(0, kBearer.size()), kBearer, {},
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    given = is_bearer ? authorization.substr(kBearer.size()) : std::string_view();
  }
  bool is_known = false;
  for (const std::string& key : options_.api_keys) is_known |= is_same_key(given, key);
  if (is_known) return {};
  return Refusal{401, "the API key is missing or wrong"};
}

}  // namespace plm::server
