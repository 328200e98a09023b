#include "server/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace plm::server {

Socket::Socket(int fd) : fd_(fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // each token at once
}

Socket::~Socket() { ::close(fd_); }

bool Socket::wait(short events, Clock::time_point deadline) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd poll_fd{.fd = fd_, .events = events, .revents = 0};
    const int n = ::poll(&poll_fd, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

void Socket::end_writing() const { ::shutdown(fd_, SHUT_WR); }

bool Socket::is_gone() const {
  pollfd poll_fd{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

namespace {

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(int fd) : socket_(fd) {}

  Read read(std::string& to, size_t room, Clock::time_point deadline) override {
    const size_t size = to.size();
    to.resize(size + room);
    while (true) {
      const ssize_t n = ::recv(socket_.fd(), to.data() + size, room, 0);
      to.resize(n > 0 ? size + static_cast<size_t>(n) : size);
      if (n > 0) return Read::bytes;
      if (n == 0) return Read::end;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        if (!socket_.wait(POLLIN, deadline)) return Read::timeout;
      } else if (errno != EINTR) {
        return Read::failed;
      }
      to.resize(size + room);
    }
  }

  bool write(std::string_view bytes, Clock::time_point deadline) override {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        if (!socket_.wait(POLLOUT, deadline)) return false;
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  void end_writing() override { socket_.end_writing(); }
  bool is_gone() override { return socket_.is_gone(); }

 private:
  Socket socket_;
};

}  // namespace

std::unique_ptr<ByteStream> plain_stream(int socket) { return std::make_unique<PlainStream>(socket); }

}  // namespace plm::server
