// The head of an HTTP/1.1 request (RFC 9112), from bytes of strangers: parsed strictly, within limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plm::server {

inline constexpr size_t kMaxHeadBytes = 32 << 10;
inline constexpr size_t kMaxHeaders = 100;

struct HttpHead {
  std::string method;
  std::string path;   // percent-decoded, without the query; always begins with '/'
  std::string query;  // as it came
  int minor_version = 1;
  std::vector<std::pair<std::string, std::string>> headers;  // names in small letters

  std::optional<int64_t> content_length;
  bool is_chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;

  // The value of a header that occurs once at most, or "".
  std::string_view header(std::string_view small_name) const;
};

// What is wrong, as an HTTP status and a sentence.
struct HttpFault {
  int status = 400;
  std::string message;
};

// `bytes` is everything up to and including the empty line. Refused are, among others, bare line feeds,
// folded lines, control characters, a header that must be single given twice, and a length beside a transfer
// coding: what two programs could read differently.
std::optional<HttpFault> parse_http_head(std::string_view bytes, HttpHead& head);

std::string_view http_reason(int status);

}  // namespace plm::server
