// An HTTP/1.1 server for a few hundred connections, each with a thread. Own, because what a stranger may make
// it do is then ours to limit (decision 0086).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "server/byte_budget.h"
#include "server/byte_stream.h"
#include "server/http_head.h"

namespace plm::server {

struct HttpRequest {
  HttpHead head;
  std::string body;
};

// The answer to one request, written by its handler: either send(), or start() and any number of write().
class HttpReply {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  HttpReply(ByteStream& stream, const HttpHead& head, std::chrono::seconds patience);

  void add_header(std::string name, std::string value) {
    headers_.emplace_back(std::move(name), std::move(value));
  }
  void send(int status, std::string_view content_type, std::string_view body);

  // A body whose length is not known. false: nobody reads any more.
  bool start(int status, std::string_view content_type);
  bool write(std::string_view bytes);

  bool is_client_gone() { return failed_ || stream_.is_gone(); }
  bool is_started() const { return status_ != 0; }
  int status() const { return status_; }

  // For the server: ends the body. False when the connection cannot go on.
  bool finish();
  void close_after() { keep_alive_ = false; }

 private:
  bool put(std::string_view bytes);
  std::string head_text(int status, std::string_view content_type) const;

  ByteStream& stream_;
  Headers headers_;
  std::chrono::seconds patience_;
  bool is_http_1_1_, is_head_request_, keep_alive_;
  bool is_open_ended_ = false, failed_ = false;
  int status_ = 0;
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: any that is free
  std::shared_ptr<TlsIdentity> tls;
  size_t max_body_bytes = 16 << 20;
  // Of the bodies of all connections, until they are answered. Who would go beyond is sent away with 503.
  size_t max_held_bytes = 64 << 20;
  int max_connections = 256;               // one more is answered with 503
  std::chrono::seconds head_patience{10};  // for a head, once it begins
  std::chrono::seconds idle_patience{30};  // between two requests
  std::chrono::seconds body_patience{60};
  std::chrono::seconds write_patience{60};  // of the reader, for each write
  // How long who was refused may go on writing: closed at once, he might not come to read why.
  std::chrono::seconds linger_patience{10};
};

class HttpServer {
 public:
  // Called by many threads at once.
  using Handler = std::function<void(const HttpRequest&, HttpReply&)>;
  // A request that is no HTTP: the handler that shapes the error for the reader.
  using FaultHandler = std::function<void(const HttpFault&, HttpReply&)>;

  static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options, Handler handler,
                                                   FaultHandler fault_handler);
  // Closes the connections whatever they do; waits for the handlers.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }

  // Takes no more connections, and ends each when its request is answered.
  void stop_accepting();
  bool wait_until_idle(std::chrono::milliseconds patience);

 private:
  HttpServer(HttpServerOptions options, Handler handler, FaultHandler fault_handler);
  Status bind();
  void accept_loop();
  void begin_connection(int fd);
  void serve(std::unique_ptr<ByteStream> stream);
  bool serve_one(ByteStream& stream, std::string& bytes);
  void refuse(ByteStream& stream, const HttpFault& fault, std::chrono::seconds patience);
  void refuse_and_linger(ByteStream& stream, const HttpFault& fault);
  bool read_head(ByteStream& stream, std::string& bytes, std::string& head_bytes);
  std::optional<HttpFault> read_body(ByteStream& stream, const HttpHead& head, std::string& bytes,
                                     std::string& body, ByteBudget::Share& share);
  std::optional<HttpFault> read_chunks(ByteStream& stream, std::string& bytes, std::string& body,
                                       ByteBudget::Share& share, Clock::time_point deadline);

  HttpServerOptions options_;
  ByteBudget budget_;
  Handler handler_;
  FaultHandler fault_handler_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> is_stopping_{false};
  std::thread acceptor_;
  std::mutex mutex_;
  std::condition_variable left_;
  int n_connections_ = 0;
};

}  // namespace plm::server
