// Waiting for a socket: shared by plain and TLS streams.
#pragma once

#include <poll.h>

#include "server/byte_stream.h"

namespace plm::server {

// Owns a socket, which does not block.
class Socket {
 public:
  explicit Socket(int fd);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  // Waits for POLLIN or POLLOUT. False at the deadline.
  bool wait(short events, Clock::time_point deadline) const;
  void end_writing() const;
  bool is_gone() const;

 private:
  int fd_;
};

}  // namespace plm::server
