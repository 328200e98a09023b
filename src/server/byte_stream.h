// A connection's bytes, plain or through TLS, with deadlines. For one thread at a time.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plm::server {

using Clock = std::chrono::steady_clock;

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  enum class Read { bytes, end, timeout, failed };
  // Reads what is there, at least a byte, at most `room`; appends it to `to`.
  virtual Read read(std::string& to, size_t room, Clock::time_point deadline) = 0;

  // Writes all. False when the other side does not take it in time or is gone.
  virtual bool write(std::string_view bytes, Clock::time_point deadline) = 0;

  // Nothing more is written: the other side reads to the end.
  virtual void end_writing() = 0;

  // The other side has closed or reset the connection.
  virtual bool is_gone() = 0;
};

// Takes a connected socket, which it closes at its end.
std::unique_ptr<ByteStream> plain_stream(int socket);

// What a server shows of itself. Shared by all its connections; safe for several threads.
class TlsIdentity {
 public:
  // PEM files. Fails with the library's words when they cannot be read or do not belong together.
  static Result<std::shared_ptr<TlsIdentity>> load(const std::string& certificate, const std::string& key);
  virtual ~TlsIdentity() = default;

  // Takes a connected socket. The handshake is made by the first read.
  virtual std::unique_ptr<ByteStream> stream(int socket) = 0;
};

}  // namespace plm::server
