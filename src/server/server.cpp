#include "server/server.h"

#include <algorithm>
#include <exception>

#include "server/page.h"

namespace plm::server {

namespace {

bool is_health(std::string_view path) { return path == "/health" || path == "/v1/health"; }

// Only paths we know go into the log.
std::string_view logged_path(std::string_view path) {
  for (const Api::Route& route : Api::routes()) {
    if (Api::matches(route, path)) return route.path;
  }
  return Page::built_in().has(path) ? "(page)" : "(unknown)";
}

std::string_view logged_method(std::string_view method) {
  for (const std::string_view known : {"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"}) {
    if (known == method) return known;
  }
  return "(unknown)";
}

}  // namespace

Server::Server(ServerOptions options) : options_(std::move(options)), access_(options_.access) {}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options) {
  std::unique_ptr<Server> server(new Server(std::move(options)));
  PLM_TRY(server->http_, HttpServer::start(
                             server->options_.http,
                             [self = server.get()](const HttpRequest& request, HttpReply& reply) {
                               self->handle(request, reply);
                             },
                             [](const HttpFault& fault, HttpReply& reply) {
                               if (fault.status == 503) reply.add_header("Retry-After", "2");
                               reply.send(fault.status, "application/json",
                                          dump(error_json(fault.status, fault.message)));
                             }));
  return server;
}

void Server::open(std::unique_ptr<Api> api) {
  api_ = std::move(api);
  open_ = api_.get();
}

bool Server::asks_for_page(const HttpHead& head) const {
  return options_.shows_page && (head.method == "GET" || head.method == "HEAD") &&
         Page::built_in().has(head.path);
}

// False when the request has been answered: it may not ask, or asks only whether it may.
bool Server::admit(const HttpRequest& request, HttpReply& reply, Exchange& exchange) const {
  const HttpHead& head = request.head;
  if (const auto refusal = access_.check_origin(head)) {
    exchange.fail(refusal->status, refusal->message);
    return false;
  }
  if (const std::string origin = access_.allowed_origin(head); !origin.empty()) {
    reply.add_header("Access-Control-Allow-Origin", origin);
    reply.add_header("Vary", "Origin");
  }
  if (head.method == "OPTIONS") {
    reply.add_header("Access-Control-Allow-Methods", "GET, POST");
    // Clients in browsers send headers of their own (X-Stainless-.., Anthropic-Version).
    const std::string_view asked = head.header("access-control-request-headers");
    reply.add_header("Access-Control-Allow-Headers",
                     asked.empty() ? "Authorization, Content-Type, X-Api-Key" : std::string(asked));
    reply.send(204, "", "");
    return false;
  }
  // The page asks its reader for the key.
  if (is_health(head.path) || asks_for_page(head)) return true;
  if (const auto refusal = access_.check_key(head)) {
    exchange.fail(refusal->status, refusal->message);
    return false;
  }
  return true;
}

void Server::handle(const HttpRequest& request, HttpReply& reply) {
  const auto start = Clock::now();
  reply.add_header("X-Content-Type-Options", "nosniff");
  Exchange exchange{.request = request, .reply = reply};
  try {
    if (admit(request, reply, exchange)) {
      if (asks_for_page(request.head)) {
        Page::built_in().answer(request.head, reply);
      } else if (const Api* api = open_; api == nullptr) {
        exchange.fail(503, "the model is loading");
      } else {
        api->handle(exchange);
      }
    }
  } catch (const std::exception& error) {
    // Memory that ran out, or a mistake of ours: this request fails, the server goes on.
    reply.close_after();
    if (!reply.is_started()) exchange.fail(500, error.what());
  }
  if (!options_.log) return;
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  options_.log(fmt::format("request={} method={} path={} status={} prompt={} cached={} answer={} ms={:.1f}",
                           ++n_requests_, logged_method(request.head.method), logged_path(request.head.path),
                           reply.status(), exchange.totals.n_prompt, exchange.totals.n_cached,
                           exchange.totals.n_answer, ms));
}

}  // namespace plm::server
