// What all connections together may make a server hold.
#include "server/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <semaphore>

namespace plm::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

constexpr size_t kLarge = 150 << 10, kSmall = 1 << 10;

// A connection that says what it is told and reads to the end.
class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void say(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // refused while it wrote: read() tells why
      text.remove_prefix(static_cast<size_t>(n));
    }
  }
  std::string read() const {
    std::string all;
    char part[4096];
    for (ssize_t n = 0; (n = ::recv(fd_, part, sizeof(part), 0)) > 0;)
      all.append(part, static_cast<size_t>(n));
    return all;
  }

 private:
  int fd_;
};

std::string head(std::string_view path, std::string_view more) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n", path, more);
}
std::string with_length(std::string_view path, size_t n) {
  return head(path, fmt::format("Content-Length: {}\r\n", n)) + std::string(n, 'x');
}
std::string in_chunks(std::string_view path, size_t n) {
  std::string text = head(path, "Transfer-Encoding: chunked\r\n");
  for (size_t left = n; left > 0; left -= 1 << 10) text += "400\r\n" + std::string(1 << 10, 'x') + "\r\n";
  return text + "0\r\n\r\n";
}

// Room for two large bodies. What is asked under /hold is answered when it is let go.
class HttpServerTest : public testing::Test {
 protected:
  void SetUp() override {
    HttpServerOptions options;
    options.max_body_bytes = 2 * kLarge;
    options.max_held_bytes = 2 * kLarge + kLarge / 2;  // half: what is read beyond a chunk
    options.body_patience = 1s;
    options.linger_patience = 1s;
    auto server = HttpServer::start(
        options,
        [this](const HttpRequest& request, HttpReply& reply) {
          if (request.head.path == "/hold") {
            entered_.release();
            EXPECT_TRUE(let_go_.try_acquire_for(60s));
          }
          reply.send(200, "text/plain", fmt::format("{} bytes", request.body.size()));
        },
        [](const HttpFault& fault, HttpReply& reply) {
          reply.send(fault.status, "text/plain", fault.message);
        });
    ASSERT_TRUE(server.ok());
    server_ = *std::move(server);
  }

  std::string ask(std::string_view text) const {
    const Client client(server_->port());
    client.say(text);
    return client.read();
  }
  // Whether there is room for this much, sooner or later: what a connection gives back it gives back in its
  // own time.
  bool comes_to_fit(std::string_view text) const {
    for (const auto end = Clock::now() + 60s; Clock::now() < end;) {
      if (ask(text).starts_with("HTTP/1.1 200")) return true;
    }
    return false;
  }

  std::counting_semaphore<> entered_{0}, let_go_{0};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, SendsAwayWhoWouldHoldMoreThanAllMay) {
  const Client first(server_->port()), second(server_->port());
  for (const Client* client : {&first, &second}) {
    client->say(with_length("/hold", kLarge));
    ASSERT_TRUE(entered_.try_acquire_for(60s));
  }
  for (const std::string& text : {with_length("/", kLarge), in_chunks("/", kLarge)}) {
    EXPECT_THAT(ask(text), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  }
  EXPECT_THAT(ask(with_length("/", kSmall)), HasSubstr("1024 bytes"));
  EXPECT_THAT(ask(in_chunks("/", ByteBudget::kAlwaysTaken / 2)), HasSubstr("32768 bytes"));
  let_go_.release(2);
  for (const Client* client : {&first, &second}) EXPECT_THAT(client->read(), HasSubstr("153600 bytes"));
  for (const std::string& text : {with_length("/", kLarge), in_chunks("/", kLarge)}) {
    EXPECT_TRUE(comes_to_fit(text));
  }
}

TEST_F(HttpServerTest, GetsBackWhatWasHeldForWhoFails) {
  const std::string whole = with_length("/", 2 * kLarge), chunks = in_chunks("/", 2 * kLarge);
  // Each would leave no room for the next: those who go, those who are too slow, those who break the rules.
  for (const std::string& text : {whole, chunks}) {
    Client(server_->port()).say(std::string_view(text).substr(0, text.size() - 2 * kSmall));
    EXPECT_TRUE(comes_to_fit(whole));
    EXPECT_THAT(ask(std::string_view(text).substr(0, text.size() - 2 * kSmall)), StartsWith("HTTP/1.1 40"));
    EXPECT_TRUE(comes_to_fit(whole));
  }
  EXPECT_THAT(ask(chunks.substr(0, chunks.size() - 5) + "zz\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_TRUE(comes_to_fit(chunks));
  EXPECT_THAT(ask(with_length("/", 2 * kLarge + 1)), StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(comes_to_fit(whole));
}

TEST_F(HttpServerTest, HoldsNothingForALengthThatIsOnlySaid) {
  const Client silent(server_->port());
  silent.say(head("/", fmt::format("Content-Length: {}\r\n", 2 * kLarge)));
  EXPECT_THAT(ask(with_length("/", 2 * kLarge)), HasSubstr("307200 bytes"));
}

}  // namespace
}  // namespace plm::server
