#include "server/http_server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <malloc.h>
#endif

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

namespace plm::server {

namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr std::chrono::milliseconds kGlance{100};  // how often a thread that waits looks whether to stop
constexpr size_t kLargeBody = 256 << 10;

HttpFault budget_fault() { return {503, "the server holds as many large requests as it can"}; }

// What a large request took. The C library would keep it for the thread's arena, of which there are many.
void give_memory_back() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace

HttpServer::HttpServer(HttpServerOptions options, Handler handler, FaultHandler fault_handler)
    : options_(std::move(options)),
      budget_(options_.max_held_bytes),
      handler_(std::move(handler)),
      fault_handler_(std::move(fault_handler)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerOptions options, Handler handler,
                                                      FaultHandler fault_handler) {
  std::unique_ptr<HttpServer> server(
      new HttpServer(std::move(options), std::move(handler), std::move(fault_handler)));
  PLM_TRY_STATUS(server->bind());
  server->acceptor_ = std::thread([self = server.get()] { self->accept_loop(); });
  return server;
}

HttpServer::~HttpServer() {
  stop_accepting();
  if (acceptor_.joinable()) acceptor_.join();
  std::unique_lock lock(mutex_);
  left_.wait(lock, [this] { return n_connections_ == 0; });
  if (listener_ >= 0) ::close(listener_);
}

Status HttpServer::bind() {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(options_.port);
  if (const int code = ::getaddrinfo(options_.host.c_str(), port.c_str(), &hints, &found); code != 0) {
    return make_error(ErrorKind::invalid_argument, "--host {}: {}", options_.host, ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  int error = 0;
  for (const addrinfo* address = found; address != nullptr && listener_ < 0; address = address->ai_next) {
    const int fd = ::socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    const int on = 1;
    if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd >= 0 && ::bind(fd, address->ai_addr, address->ai_addrlen) == 0 && ::listen(fd, 128) == 0) {
      listener_ = fd;
      break;
    }
    error = errno;
    if (fd >= 0) ::close(fd);
  }
  if (listener_ < 0) {
    return make_error(ErrorKind::io, "cannot listen on {} port {}: {}", options_.host, options_.port,
                      std::strerror(error));
  }
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                            : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
  return {};
}

void HttpServer::stop_accepting() { is_stopping_ = true; }

bool HttpServer::wait_until_idle(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return left_.wait_for(lock, patience, [this] { return n_connections_ == 0; });
}

void HttpServer::accept_loop() {
  while (!is_stopping_) {
    pollfd poll_fd{.fd = listener_, .events = POLLIN, .revents = 0};
    if (::poll(&poll_fd, 1, static_cast<int>(kGlance.count())) <= 0) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      // No descriptors left: those who hold them will go.
      if (errno == EMFILE || errno == ENFILE) std::this_thread::sleep_for(kGlance);
      continue;
    }
    try {
      begin_connection(fd);
    } catch (const std::exception&) {
      // No memory or no thread for it: it is closed, and those who hold them will go.
      std::this_thread::sleep_for(kGlance);
    }
  }
}

void HttpServer::begin_connection(int fd) {
  std::unique_ptr<ByteStream> stream = options_.tls ? options_.tls->stream(fd) : plain_stream(fd);
  bool is_full = false;
  {
    const std::lock_guard lock(mutex_);
    if (n_connections_ < options_.max_connections) {
      ++n_connections_;
    } else {
      is_full = true;
    }
  }
  // Nobody is waited for here: the few bytes fit into what the system buffers.
  if (is_full) return refuse(*stream, {503, "too many connections"}, std::chrono::seconds(0));
  try {
    std::thread([this, stream = std::move(stream)]() mutable {
      serve(std::move(stream));
      const std::lock_guard lock(mutex_);
      --n_connections_;
      left_.notify_all();
    }).detach();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    --n_connections_;
    throw;
  }
}

void HttpServer::serve(std::unique_ptr<ByteStream> stream) {
  try {
    std::string bytes;  // read, not yet used
    while (serve_one(*stream, bytes)) {
    }
  } catch (const std::bad_alloc&) {
    // This connection has asked for too much; the others go on.
    stream.reset();
  }
}

void HttpServer::refuse(ByteStream& stream, const HttpFault& fault, std::chrono::seconds patience) {
  HttpHead head;
  head.keep_alive = false;
  HttpReply reply(stream, head, patience);
  fault_handler_(fault, reply);
}

// Reads what still comes, up to some: a connection that is closed with bytes unread is reset, and takes the
// reply with it.
void HttpServer::refuse_and_linger(ByteStream& stream, const HttpFault& fault) {
  refuse(stream, fault, options_.write_patience);
  stream.end_writing();
  const auto deadline = Clock::now() + options_.linger_patience;
  size_t left = 4 * options_.max_body_bytes;
  for (std::string bytes; left > 0 && !is_stopping_ && Clock::now() < deadline; bytes.clear()) {
    const auto read = stream.read(bytes, kReadBytes, std::min(deadline, Clock::now() + kGlance));
    if (read == ByteStream::Read::end || read == ByteStream::Read::failed) return;
    left -= std::min(left, bytes.size());
  }
}

// Reads up to the empty line. False when there is no request: the connection ends. An empty line before a
// request is passed over (RFC 9112, 2.2).
bool HttpServer::read_head(ByteStream& stream, std::string& bytes, std::string& head_bytes) {
  const auto idle_end = Clock::now() + options_.idle_patience;
  auto deadline = bytes.empty() ? idle_end : Clock::now() + options_.head_patience;
  size_t searched = 0;
  bool may_be_blank = true;
  while (true) {
    if (may_be_blank && bytes.size() >= 2) {
      may_be_blank = false;
      if (bytes.starts_with("\r\n")) bytes.erase(0, 2);
    }
    const size_t end = bytes.find("\r\n\r\n", searched);
    if (end <= kMaxHeadBytes) {  // npos is more
      head_bytes = bytes.substr(0, end + 4);
      bytes.erase(0, end + 4);
      return true;
    }
    if (bytes.size() > kMaxHeadBytes) {
      refuse_and_linger(stream, {431, "the request's head is too large"});
      return false;
    }
    searched = bytes.size() < 3 ? 0 : bytes.size() - 3;
    const bool was_idle = bytes.empty();
    if (was_idle && is_stopping_) return false;
    const auto glance = was_idle ? std::min(deadline, Clock::now() + kGlance) : deadline;
    switch (stream.read(bytes, kReadBytes, glance)) {
      case ByteStream::Read::bytes:
        if (was_idle) deadline = Clock::now() + options_.head_patience;
        break;
      case ByteStream::Read::timeout:
        if (Clock::now() < deadline) break;
        if (!was_idle) refuse(stream, {408, "the request's head took too long"}, options_.write_patience);
        return false;
      default:
        return false;
    }
  }
}

std::optional<HttpFault> HttpServer::read_chunks(ByteStream& stream, std::string& bytes, std::string& body,
                                                 ByteBudget::Share& share, Clock::time_point deadline) {
  constexpr size_t kMaxChunkLine = 256;
  HttpFault broken{400, "the request's body breaks off"};
  size_t used = 0;  // of `bytes`: erased once in a while, for chunks may be a byte long
  const auto more = [&] {
    bytes.erase(0, std::exchange(used, 0));
    if (Clock::now() >= deadline || stream.read(bytes, kReadBytes, deadline) != ByteStream::Read::bytes) {
      return false;
    }
    if (share.hold(body.size() + bytes.size())) return true;
    broken = budget_fault();
    return false;
  };
  const auto line = [&](std::string& text) {
    size_t end = 0;
    while ((end = bytes.find("\r\n", used)) == std::string::npos) {
      if (bytes.size() - used > kMaxChunkLine || !more()) return false;
    }
    text = bytes.substr(used, end - used);
    used = end + 2;
    return text.size() <= kMaxChunkLine;
  };
  std::string text;
  while (true) {
    if (!line(text)) return broken;
    size_t n = 0;
    const size_t digits = std::min(text.find(';'), text.size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, n, 16);
    if (error != std::errc() || end != text.data() + digits) return HttpFault{400, "a chunk has no length"};
    if (n > options_.max_body_bytes - body.size()) return HttpFault{413, "the request's body is too large"};
    if (n == 0) break;
    for (size_t left = n; left > 0;) {
      if (used == bytes.size() && !more()) return broken;
      const size_t part = std::min(left, bytes.size() - used);
      body.append(bytes, used, part);
      used += part;
      left -= part;
    }
    while (bytes.size() - used < 2) {
      if (!more()) return broken;
    }
    if (bytes.compare(used, 2, "\r\n") != 0) return HttpFault{400, "a chunk is longer than it says"};
    used += 2;
  }
  for (size_t n = 0; n < kMaxHeaders; ++n) {  // trailers, which say nothing to us
    if (!line(text)) return broken;
    if (!text.empty()) continue;
    bytes.erase(0, used);
    return {};
  }
  return HttpFault{431, "too many trailers"};
}

std::optional<HttpFault> HttpServer::read_body(ByteStream& stream, const HttpHead& head, std::string& bytes,
                                               std::string& body, ByteBudget::Share& share) {
  const auto n_wanted = static_cast<uint64_t>(head.content_length.value_or(0));
  if (n_wanted > options_.max_body_bytes) return HttpFault{413, "the request's body is too large"};
  if (!share.may_hold(n_wanted)) return budget_fault();
  const auto deadline = Clock::now() + options_.body_patience;
  if (head.expects_continue && (head.is_chunked || n_wanted > bytes.size())) {
    stream.write("HTTP/1.1 100 Continue\r\n\r\n", deadline);
  }
  if (head.is_chunked) return read_chunks(stream, bytes, body, share, deadline);
  while (bytes.size() < n_wanted) {
    const auto read = stream.read(bytes, kReadBytes, deadline);
    if (read == ByteStream::Read::timeout) return HttpFault{408, "the request's body took too long"};
    if (read != ByteStream::Read::bytes) return HttpFault{400, "the request's body breaks off"};
    if (!share.hold(bytes.size())) return budget_fault();
    // At once, for who grows by doubling holds twice as much; not for who has only said how much will come.
    if (bytes.size() > ByteBudget::kAlwaysTaken) bytes.reserve(n_wanted + kReadBytes);
  }
  if (bytes.size() == n_wanted) {
    body = std::exchange(bytes, {});  // which lets go of its room too
  } else {
    body = bytes.substr(0, n_wanted);
    bytes.erase(0, n_wanted);
  }
  return {};
}

// False when the connection ends.
bool HttpServer::serve_one(ByteStream& stream, std::string& bytes) {
  std::string head_bytes;
  if (!read_head(stream, bytes, head_bytes)) return false;
  ByteBudget::Share share(budget_);  // gives back when the request is gone
  HttpRequest request;
  auto fault = parse_http_head(head_bytes, request.head);
  if (!fault) fault = read_body(stream, request.head, bytes, request.body, share);
  if (fault) {
    const bool was_large = bytes.size() + request.body.size() >= kLargeBody;
    request = {};
    bytes.clear();
    bytes.shrink_to_fit();
    if (was_large) give_memory_back();
    share.give_back();
    refuse_and_linger(stream, *fault);
    return false;
  }
  HttpReply reply(stream, request.head, options_.write_patience);
  if (is_stopping_) reply.close_after();
  handler_(request, reply);
  const bool goes_on = reply.finish() && !is_stopping_;
  if (request.body.size() < kLargeBody) return goes_on;
  request = {};
  bytes.shrink_to_fit();
  give_memory_back();
  return goes_on;
}

}  // namespace plm::server
