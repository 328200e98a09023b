#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

namespace plm::hub {
namespace {

constexpr int kMaxRedirects = 10;
constexpr size_t kMaxHeaders = 200;
constexpr double kMaxServerWait = 300;  // longer than that a user would rather come back

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using UrlPtr = std::unique_ptr<CURLU, FreeUrl>;

std::string url_part(CURLU* url, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string result(text);
  curl_free(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool is_http(const std::string& scheme) { return scheme == "http" || scheme == "https"; }

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Seconds; the date form of Retry-After is not read: the usual waits serve.
std::optional<double> retry_after(const HttpResponse& response) {
  const auto seconds = response.number("retry-after");
  if (!seconds) return std::nullopt;
  return static_cast<double>(*seconds);
}

std::optional<Trouble> trouble_of(const HttpResponse& response) {
  constexpr std::array kPassing = {408, 429, 500, 502, 503, 504};
  if (std::find(kPassing.begin(), kPassing.end(), response.status) == kPassing.end()) return std::nullopt;
  return Trouble{.problem = fmt::format("the server answers {}", response.status),
                 .wait_seconds = retry_after(response)};
}

bool may_pass(CURLcode code) {
  constexpr std::array kPassing = {CURLE_COULDNT_RESOLVE_PROXY,
                                   CURLE_COULDNT_RESOLVE_HOST,
                                   CURLE_COULDNT_CONNECT,
                                   CURLE_PARTIAL_FILE,
                                   CURLE_OPERATION_TIMEDOUT,
                                   CURLE_SSL_CONNECT_ERROR,
                                   CURLE_GOT_NOTHING,
                                   CURLE_SEND_ERROR,
                                   CURLE_RECV_ERROR,
                                   CURLE_WEIRD_SERVER_REPLY,
                                   CURLE_HTTP2,
                                   CURLE_HTTP2_STREAM};
  return std::find(kPassing.begin(), kPassing.end(), code) != kPassing.end();
}

// What one request collects while libcurl calls back.
struct Transfer {
  const HttpRequest* request = nullptr;
  const std::atomic<bool>* cancel = nullptr;
  CURL* curl = nullptr;
  HttpResponse response;
  bool has_started = false;
  std::optional<Error> error;

  bool is_cancelled() const { return cancel != nullptr && *cancel; }

  // Calls on_start when the answer is a success and the body (or its absence) is at hand.
  bool start() {
    if (has_started || error) return !error;
    has_started = true;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    if (!response.is_success() || !request->on_start) return true;
    if (auto started = request->on_start(response); !started.ok()) error = started.error();
    return !error;
  }
};

size_t on_header(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // of an earlier, informational answer
    transfer.response.headers.clear();
    return line.size();
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || transfer.response.headers.size() >= kMaxHeaders) return line.size();
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  transfer.response.headers[name] = trimmed(line.substr(colon + 1));
  return line.size();
}

size_t on_data(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const size_t n = size * count;
  if (!transfer.start()) return 0;
  if (!transfer.response.is_success() || !transfer.request->on_body) return n;
  const auto taken = transfer.request->on_body(std::as_bytes(std::span(data, n)));
  if (taken.ok()) return n;
  transfer.error = taken.error();
  return 0;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(context)->is_cancelled() ? 1 : 0;
}

}  // namespace

std::string_view HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<uint64_t> HttpResponse::number(const std::string& name) const {
  const std::string_view text = header(name);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string origin_of(const std::string& url) {
  const UrlPtr parsed(curl_url());
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  const std::string scheme = url_part(parsed.get(), CURLUPART_SCHEME);
  const std::string host = url_part(parsed.get(), CURLUPART_HOST);
  if (!is_http(scheme) || host.empty()) return {};
  return fmt::format("{}://{}:{}", scheme, host, url_part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

Result<std::string> redirect_target(const std::string& url, std::string_view location) {
  const UrlPtr parsed(curl_url());
  const bool is_url =
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK &&
      curl_url_set(parsed.get(), CURLUPART_URL, std::string(location).c_str(), 0) == CURLUE_OK;
  char* text = nullptr;
  if (!is_url || !is_http(url_part(parsed.get(), CURLUPART_SCHEME)) ||
      curl_url_get(parsed.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) {
    return make_error(ErrorKind::bad_data, "{}: redirects to what is no URL of http or https", url);
  }
  std::string target(text);
  curl_free(text);
  if (url.starts_with("https://") && !target.starts_with("https://")) {
    return make_error(ErrorKind::bad_data, "{}: redirects from https to http", url);
  }
  return target;
}

std::string escape_path(std::string_view path) {
  std::string escaped;
  for (const char c : path) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                          std::string_view("-._~/").find(c) != std::string_view::npos;
    escaped += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return escaped;
}

struct HttpClient::State {
  struct Free {
    void operator()(CURL* owned) const { curl_easy_cleanup(owned); }
  };
  std::unique_ptr<CURL, Free> curl;
  Settings settings;
  std::string endpoint_origin;
  bool is_endpoint_safe = false;  // a token may go there
  const std::atomic<bool>* cancel = nullptr;
};

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::create(const Settings& settings, const std::atomic<bool>* cancel) {
  static const CURLcode is_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  auto state = std::make_unique<State>();
  if (is_ready == CURLE_OK) state->curl.reset(curl_easy_init());
  if (state->curl == nullptr) return make_error(ErrorKind::io, "libcurl cannot be initialised");
  state->settings = settings;
  state->cancel = cancel;
  state->endpoint_origin = origin_of(settings.endpoint);
  if (state->endpoint_origin.empty()) {
    return make_error(ErrorKind::invalid_argument, "endpoint \"{}\": expected a URL of http or https",
                      settings.endpoint);
  }
  const std::string& origin = state->endpoint_origin;
  state->is_endpoint_safe = origin.starts_with("https://") || origin.starts_with("http://127.0.0.1:") ||
                            origin.starts_with("http://localhost:") || origin.starts_with("http://[::1]:");
  return HttpClient(std::move(state));
}

bool HttpClient::is_trusted(const std::string& url) const {
  return state_->is_endpoint_safe && origin_of(url) == state_->endpoint_origin;
}

Result<HttpAnswer> HttpClient::send(const HttpRequest& request) {
  CURL* curl = state_->curl.get();
  const Settings& settings = state_->settings;
  Transfer transfer{.request = &request, .cancel = state_->cancel, .curl = curl, .response = {}, .error = {}};
  transfer.response.url = request.url;
  std::array<char, CURL_ERROR_SIZE> message{};

  curl_easy_reset(curl);  // keeps connections
  std::unique_ptr<curl_slist, FreeList> headers;
  if (!settings.token.empty() && is_trusted(request.url)) {
    headers.reset(curl_slist_append(nullptr, ("Authorization: Bearer " + settings.token).c_str()));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  }
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "plm");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   std::lround(std::min(settings.stall_seconds, 1e6) * 1000));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, std::lround(std::clamp(settings.stall_seconds, 1.0, 1e6)));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message.data());
  if (request.head_only) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (request.range_begin > 0) {
    curl_easy_setopt(curl, CURLOPT_RANGE, fmt::format("{}-", request.range_begin).c_str());
  }
  if (!settings.certificates.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, settings.certificates.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);

  const CURLcode code = curl_easy_perform(curl);
  if (transfer.is_cancelled()) return Error{ErrorKind::cancelled, "interrupted"};
  if (code == CURLE_OK) transfer.start();
  if (transfer.error) return *transfer.error;
  HttpAnswer answer{.response = std::move(transfer.response), .trouble = {}};
  if (code == CURLE_OK) {
    answer.trouble = trouble_of(answer.response);
    return answer;
  }
  const std::string problem = message[0] != '\0' ? message.data() : curl_easy_strerror(code);
  if (!may_pass(code)) return make_error(ErrorKind::io, "{}: {}", request.url, problem);
  answer.trouble = Trouble{.problem = problem, .wait_seconds = {}};
  return answer;
}

Result<HttpAnswer> HttpClient::send_following(const HttpRequest& request) {
  HttpRequest current = request;
  for (int i = 0; i <= kMaxRedirects; ++i) {
    PLM_TRY(HttpAnswer answer, send(current));
    const std::string_view location = answer.response.header("location");
    if (answer.trouble || !is_redirect(answer.response.status) || location.empty()) return answer;
    PLM_TRY(current.url, redirect_target(current.url, location));
  }
  return make_error(ErrorKind::bad_data, "{}: more than {} redirects", request.url, kMaxRedirects);
}

Status Retries::wait(const Trouble& trouble, std::string_view where) {
  constexpr auto kLookEvery = std::chrono::milliseconds(20);
  const double own_wait = options_.first_wait_seconds * std::ldexp(1.0, std::min(n_failed_, 10));
  const double seconds = trouble.wait_seconds.value_or(own_wait);
  if (++n_failed_ >= options_.n_tries) {
    return make_error(ErrorKind::io, "{}: {}{}", where, trouble.problem,
                      options_.n_tries > 1 ? fmt::format(", after {} tries", options_.n_tries) : "");
  }
  if (trouble.wait_seconds && seconds > kMaxServerWait) {
    return make_error(ErrorKind::io, "{}: {} and asks to wait {:.0f} s: come back then", where,
                      trouble.problem, seconds);
  }
  if (options_.on_note) {
    options_.on_note(fmt::format("{}: {}; trying again in {:.1f} s", where, trouble.problem, seconds));
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < until) {
    if (options_.cancel != nullptr && *options_.cancel) return Error{ErrorKind::cancelled, "interrupted"};
    std::this_thread::sleep_for(kLookEvery);
  }
  return {};
}

}  // namespace plm::hub
