// Requests to the hub over libcurl: the only place that talks to a network. It never follows a redirect by
// itself, so that a token goes to the hub's own host and nowhere else.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "hub/settings.h"

namespace plm::hub {

struct HttpResponse {
  int status = 0;
  std::string url;                             // that answered
  std::map<std::string, std::string> headers;  // names in lower case

  std::string_view header(const std::string& name) const;  // empty when absent
  std::optional<uint64_t> number(const std::string& name) const;
  bool is_success() const { return status >= 200 && status < 300; }
};

// Trouble that may pass: the connection broke, or the server is busy.
struct Trouble {
  std::string problem;
  std::optional<double> wait_seconds;  // what the server asks for
};

struct HttpAnswer {
  HttpResponse response;
  std::optional<Trouble> trouble;
};

struct HttpRequest {
  std::string url;
  bool head_only = false;
  uint64_t range_begin = 0;  // bytes from here on, when above 0
  // Called once before the body, and for each piece of it; of a successful answer only. An error ends the
  // transfer and is what the request fails with.
  std::function<Status(const HttpResponse&)> on_start = {};
  std::function<Status(std::span<const std::byte>)> on_body = {};
};

// One connection at a time, kept open between requests. Not thread safe.
class HttpClient {
 public:
  // The flag may be null; when it is set, what is under way fails with cancelled.
  static Result<HttpClient> create(const Settings& settings, const std::atomic<bool>* cancel);

  // A single request; a redirect is an answer like any other. Fails on what no second try would mend: a URL
  // that is none, a certificate, an error of a callback, cancelled.
  Result<HttpAnswer> send(const HttpRequest& request);

  // Follows redirects: to any host (the token stays behind), never from https to http.
  Result<HttpAnswer> send_following(const HttpRequest& request);

  // Whether the token goes along: same scheme, host and port as the endpoint, and encrypted or on this
  // machine.
  bool is_trusted(const std::string& url) const;

  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Where a redirect leads: `location` as seen from `url`. Fails with bad_data when it is no URL of http or
// https, or leads from https to http.
Result<std::string> redirect_target(const std::string& url, std::string_view location);

// scheme://host:port, lower case; empty when it is no URL.
std::string origin_of(const std::string& url);

// The path of a URL with everything escaped but letters, digits and "-._~/".
std::string escape_path(std::string_view path);

// Counts tries and waits between them.
class Retries {
 public:
  struct Options {
    int n_tries = 6;
    double first_wait_seconds = 0.5;  // doubled each time
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(const std::string& line)> on_note = {};
  };
  explicit Retries(Options options) : options_(std::move(options)) {}

  // After trouble: waits, then gives a success; or gives the trouble up as an error of kind io.
  Status wait(const Trouble& trouble, std::string_view where);
  // Something arrived: the count begins anew.
  void progressed() { n_failed_ = 0; }

 private:
  Options options_;
  int n_failed_ = 0;
};

}  // namespace plm::hub
