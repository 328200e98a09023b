#include "server/http_head.h"

#include <gtest/gtest.h>

namespace plm::server {
namespace {

HttpHead parsed(std::string_view text) {
  HttpHead head;
  const auto fault = parse_http_head(text, head);
  EXPECT_FALSE(fault.has_value()) << fault->message;
  return head;
}

int status_of(std::string_view text) {
  HttpHead head;
  const auto fault = parse_http_head(text, head);
  return fault ? fault->status : 200;
}

std::string with(std::string_view headers) {
  return "POST /v1/completions HTTP/1.1\r\nHost: localhost:8080\r\n" + std::string(headers) + "\r\n";
}

TEST(HttpHead, ReadsLineAndHeaders) {
  const HttpHead head = parsed(
      "POST /a%20b?x=%31 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\nX-Odd:  two words \t\r\n\r\n");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a b");
  EXPECT_EQ(head.query, "x=%31");
  EXPECT_EQ(head.content_length, 12);
  EXPECT_EQ(head.header("x-odd"), "two words");
  EXPECT_EQ(head.header("absent"), "");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.is_chunked);
}

TEST(HttpHead, KnowsWhenTheConnectionEnds) {
  EXPECT_FALSE(parsed(with("Connection: close\r\n")).keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(parsed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
  EXPECT_TRUE(parsed(with("Transfer-Encoding: Chunked\r\n")).is_chunked);
  EXPECT_TRUE(parsed(with("Expect: 100-Continue\r\n")).expects_continue);
}

TEST(HttpHead, RefusesWhatTwoProgramsCouldReadDifferently) {
  for (const std::string_view headers :
       {"Host: other\r\n", "Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1, 1\r\n",
        "Content-Length: +1\r\n", "Content-Length: 0x1\r\n", "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", " folded\r\n", "Name : value\r\n",
        ": value\r\n", "no colon\r\n", "X: a\rb\r\n", "X: a\nb\r\n", "X: \x7f\r\n",
        "Authorization: a\r\nAuthorization: b\r\n"}) {
    EXPECT_EQ(status_of(with(headers)), 400) << headers;
  }
  EXPECT_EQ(status_of(with(std::string_view("X: a\0b\r\n", 8))), 400);
  EXPECT_EQ(status_of(with("Transfer-Encoding: gzip, chunked\r\n")), 501);
  EXPECT_EQ(status_of(with("Expect: more\r\n")), 417);
}

TEST(HttpHead, RefusesLinesThatAreNoRequest) {
  for (const std::string_view line :
       {"", "GET", "GET /", "GET  HTTP/1.1", "G(T / HTTP/1.1", "GET a HTTP/1.1", "GET http://a/ HTTP/1.1",
        "GET /a b HTTP/1.1", "GET /%0a HTTP/1.1", "GET /%zz HTTP/1.1", "GET /%4 HTTP/1.1"}) {
    EXPECT_EQ(status_of(std::string(line) + "\r\nHost: a\r\n\r\n"), 400) << line;
  }
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400) << "no host";
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n"), 400) << "no end";
}

TEST(HttpHead, LimitsTheNumberOfHeaders) {
  std::string many;
  for (size_t i = 0; i < kMaxHeaders - 1; ++i) many += "X: y\r\n";
  EXPECT_EQ(status_of(with(many)), 200);
  EXPECT_EQ(status_of(with(many + "X: y\r\n")), 431);
}

}  // namespace
}  // namespace plm::server
