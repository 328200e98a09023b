#include "server/http_head.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace plm::server {

namespace {

bool is_token_character(unsigned char c) {
  return std::isalnum(c) != 0 ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos);
}
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}
bool is_visible(unsigned char c) { return c > 0x20 && c < 0x7f; }

std::string small(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False on a broken escape or an escaped control character.
bool decode_path(std::string_view text, std::string& path) {
  path.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    int c = static_cast<unsigned char>(text[i]);
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = 16 * high + low;
      i += 2;
    }
    if (c < 0x20 || c == 0x7f) return false;
    path += static_cast<char>(c);
  }
  return true;
}

std::optional<HttpFault> parse_request_line(std::string_view line, HttpHead& head) {
  const size_t first = line.find(' '), second = line.rfind(' ');
  if (first == std::string_view::npos || first == second)
    return HttpFault{400, "the request line is no HTTP"};
  head.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1),
                         version = line.substr(second + 1);
  if (!is_token(head.method)) return HttpFault{400, "the request's method is no word"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return HttpFault{505, "only HTTP/1.0 and 1.1 are spoken here"};
  head.minor_version = version.back() - '0';
  if (target.empty() || target.front() != '/' || !std::ranges::all_of(target, is_visible)) {
    return HttpFault{400, "the request's target is no path"};
  }
  const size_t question = std::min(target.find('?'), target.size());
  if (!decode_path(target.substr(0, question), head.path)) {
    return HttpFault{400, "the request's path has a broken escape"};
  }
  head.query = target.substr(std::min(question + 1, target.size()));
  return {};
}

std::optional<HttpFault> parse_header(std::string_view line, HttpHead& head) {
  constexpr std::array kSingle = {"host",         "content-length", "transfer-encoding", "authorization",
                                  "content-type", "origin",         "x-api-key",         "expect"};
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return HttpFault{400, "a header line has no name"};
  }
  std::string name = small(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  const auto is_allowed = [](unsigned char c) { return c >= 0x20 ? c != 0x7f : c == '\t'; };
  if (!std::ranges::all_of(value, is_allowed))
    return HttpFault{400, "header " + name + ": a control character"};
  const bool is_single = std::ranges::find(kSingle, name) != kSingle.end();
  if (is_single &&
      std::ranges::any_of(head.headers, [&](const auto& other) { return other.first == name; })) {
    return HttpFault{400, "header " + name + " is given twice"};
  }
  if (head.headers.size() == kMaxHeaders) return HttpFault{431, "too many headers"};
  head.headers.emplace_back(std::move(name), value);
  return {};
}

// What the headers say about the body and the connection.
std::optional<HttpFault> read_framing(HttpHead& head) {
  if (const auto length = head.header("content-length"); !length.empty()) {
    int64_t value = 0;
    const bool digits = std::ranges::all_of(length, [](unsigned char c) { return std::isdigit(c) != 0; });
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), value);
    if (!digits || error != std::errc() || end != length.data() + length.size()) {
      return HttpFault{400, "header content-length is no number"};
    }
    head.content_length = value;
  }
  if (const auto coding = head.header("transfer-encoding"); !coding.empty()) {
    if (head.content_length) return HttpFault{400, "both a content-length and a transfer-encoding"};
    if (head.minor_version == 0 || small(coding) != "chunked") {
      return HttpFault{501, "transfer-encoding: only chunked is known"};
    }
    head.is_chunked = true;
  }
  const std::string connection = small(head.header("connection"));
  head.keep_alive = head.minor_version == 1 ? connection.find("close") == std::string::npos
                                            : connection.find("keep-alive") != std::string::npos;
  if (const auto expected = head.header("expect"); !expected.empty()) {
    if (small(expected) != "100-continue") return HttpFault{417, "only 100-continue can be expected"};
    head.expects_continue = true;
  }
  if (head.minor_version == 1 && head.header("host").empty())
    return HttpFault{400, "the host header is missing"};
  return {};
}

}  // namespace

std::string_view HttpHead::header(std::string_view small_name) const {
  for (const auto& [name, value] : headers) {
    if (name == small_name) return value;
  }
  return {};
}

std::optional<HttpFault> parse_http_head(std::string_view bytes, HttpHead& head) {
  head = {};
  bool is_first = true;
  while (true) {
    const size_t end = bytes.find("\r\n");
    if (end == std::string_view::npos) return HttpFault{400, "the request's head does not end"};
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 2);
    if (line.find_first_of(std::string_view("\n\r\0", 3)) != std::string_view::npos) {
      return HttpFault{400, "a line end without its carriage return, or the other way round"};
    }
    if (line.empty() && !is_first) break;
    const auto fault = is_first ? parse_request_line(line, head) : parse_header(line, head);
    if (fault) return fault;
    is_first = false;
  }
  return read_framing(head);
}

std::string_view http_reason(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace plm::server
