// The HTTP server over a scheduler: `plm serve`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/access.h"
#include "server/api.h"
#include "server/http_server.h"

namespace plm::server {

struct ServerOptions {
  HttpServerOptions http;
  AccessOptions access;
  bool shows_page = true;
  // A line for each request, without its newline and without anything a client wrote but a known path. Called
  // by many threads.
  std::function<void(std::string_view line)> log;
};

class Server {
 public:
  // Listens at once; until open() everything is answered with 503, as while a model loads.
  static Result<std::unique_ptr<Server>> start(ServerOptions options);

  void open(std::unique_ptr<Api> api);
  int port() const { return http_->port(); }

  // Takes no new connections and requests; those under way go on. See HttpServer.
  void stop_accepting() { http_->stop_accepting(); }
  bool wait_until_idle(std::chrono::milliseconds patience) { return http_->wait_until_idle(patience); }

 private:
  explicit Server(ServerOptions options);
  void handle(const HttpRequest& request, HttpReply& reply);
  bool asks_for_page(const HttpHead& head) const;
  bool admit(const HttpRequest& request, HttpReply& reply, Exchange& exchange) const;

  ServerOptions options_;
  Access access_;
  std::unique_ptr<Api> api_;
  std::atomic<const Api*> open_{nullptr};
  std::atomic<int64_t> n_requests_{0};
  std::unique_ptr<HttpServer> http_;  // last: its threads end before the rest
};

}  // namespace plm::server
