// TLS by OpenSSL: 1.2 and later.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "server/socket.h"

namespace plm::server {

namespace {

Error tls_error(std::string_view path) {
  char text[256] = "no reason given";
  if (const unsigned long code = ::ERR_get_error(); code != 0) ::ERR_error_string_n(code, text, sizeof(text));
  ::ERR_clear_error();
  return make_error(ErrorKind::bad_data, "{}: {}", path, text);
}

class TlsStream final : public ByteStream {
 public:
  TlsStream(SSL_CTX* context, int fd) : socket_(fd), ssl_(::SSL_new(context)) {
    if (ssl_ == nullptr) return;
    ::SSL_set_fd(ssl_, fd);
    ::SSL_set_accept_state(ssl_);
  }
  ~TlsStream() override {
    if (ssl_ == nullptr) return;
    if (is_sound_) ::SSL_shutdown(ssl_);
    ::SSL_free(ssl_);
  }
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  Read read(std::string& to, size_t room, Clock::time_point deadline) override {
    const size_t size = to.size();
    to.resize(size + room);
    size_t n = 0;
    const Read result = attempt(deadline, [&] { return ::SSL_read_ex(ssl_, to.data() + size, room, &n); });
    to.resize(size + (result == Read::bytes ? n : 0));
    return result;
  }

  bool write(std::string_view bytes, Clock::time_point deadline) override {
    while (!bytes.empty()) {
      size_t n = 0;
      const auto write_some = [&] { return ::SSL_write_ex(ssl_, bytes.data(), bytes.size(), &n); };
      if (attempt(deadline, write_some) != Read::bytes) return false;
      bytes.remove_prefix(n);
    }
    return true;
  }

  void end_writing() override {
    if (ssl_ != nullptr && is_sound_) ::SSL_shutdown(ssl_);
    socket_.end_writing();
  }
  bool is_gone() override { return !is_sound_ || socket_.is_gone(); }

 private:
  template <class Call>
  Read attempt(Clock::time_point deadline, Call&& call) {
    if (ssl_ == nullptr || !is_sound_) return Read::failed;
    while (true) {
      ::ERR_clear_error();
      const int result = call();
      if (result == 1) return Read::bytes;
      const int error = ::SSL_get_error(ssl_, result);
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        if (!socket_.wait(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) return Read::timeout;
        continue;
      }
      is_sound_ = error == SSL_ERROR_ZERO_RETURN;
      return is_sound_ ? Read::end : Read::failed;
    }
  }

  Socket socket_;
  SSL* ssl_;
  bool is_sound_ = true;  // after a fatal error nothing more may be sent
};

class OpenSslIdentity final : public TlsIdentity {
 public:
  explicit OpenSslIdentity(SSL_CTX* context) : context_(context) {}
  ~OpenSslIdentity() override { ::SSL_CTX_free(context_); }
  OpenSslIdentity(const OpenSslIdentity&) = delete;
  OpenSslIdentity& operator=(const OpenSslIdentity&) = delete;

  std::unique_ptr<ByteStream> stream(int socket) override {
    return std::make_unique<TlsStream>(context_, socket);
  }

 private:
  SSL_CTX* context_;
};

}  // namespace

Result<std::shared_ptr<TlsIdentity>> TlsIdentity::load(const std::string& certificate,
                                                       const std::string& key) {
  SSL_CTX* context = ::SSL_CTX_new(::TLS_server_method());
  if (context == nullptr) return tls_error("TLS");
  std::shared_ptr<TlsIdentity> identity = std::make_shared<OpenSslIdentity>(context);
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (::SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) return tls_error(certificate);
  if (::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) return tls_error(key);
  if (::SSL_CTX_check_private_key(context) != 1) return tls_error(key);
  return identity;
}

}  // namespace plm::server
