#include "server/http_server.h"

namespace plm::server {

HttpReply::HttpReply(ByteStream& stream, const HttpHead& head, std::chrono::seconds patience)
    : stream_(stream),
      patience_(patience),
      is_http_1_1_(head.minor_version == 1),
      is_head_request_(head.method == "HEAD"),
      keep_alive_(head.keep_alive) {}

bool HttpReply::put(std::string_view bytes) {
  if (!failed_) failed_ = !stream_.write(bytes, Clock::now() + patience_);
  return !failed_;
}

std::string HttpReply::head_text(int status, std::string_view content_type) const {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, http_reason(status));
  if (!content_type.empty()) text += fmt::format("Content-Type: {}\r\n", content_type);
  for (const auto& [name, value] : headers_) text += fmt::format("{}: {}\r\n", name, value);
  text += keep_alive_ ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  return text;
}

void HttpReply::send(int status, std::string_view content_type, std::string_view body) {
  PLM_CHECK(!is_started());
  status_ = status;
  std::string text = head_text(status, content_type);
  if (status != 204) text += fmt::format("Content-Length: {}\r\n", body.size());
  text += "\r\n";
  if (!is_head_request_) text += body;
  put(text);
}

bool HttpReply::start(int status, std::string_view content_type) {
  PLM_CHECK(!is_started());
  status_ = status;
  is_open_ended_ = true;
  if (!is_http_1_1_) keep_alive_ = false;  // the end of the connection is the end of the body
  std::string text = head_text(status, content_type);
  if (is_http_1_1_) text += "Transfer-Encoding: chunked\r\n";
  return put(text + "\r\n");
}

bool HttpReply::write(std::string_view bytes) {
  PLM_CHECK(is_open_ended_);
  if (bytes.empty() || is_head_request_) return !failed_;
  return put(is_http_1_1_ ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes) : std::string(bytes));
}

bool HttpReply::finish() {
  if (is_open_ended_ && is_http_1_1_ && !is_head_request_) put("0\r\n\r\n");
  return !failed_ && keep_alive_;
}

}  // namespace plm::server
