#include "hub/digest.h"

#include <openssl/evp.h>

#include <array>

#include "hub/names.h"

namespace plm::hub {

struct Digest::State {
  struct Free {
    void operator()(EVP_MD_CTX* owned) const { EVP_MD_CTX_free(owned); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Digest::Digest(std::unique_ptr<State> state) : state_(std::move(state)) {}
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

Result<Digest> Digest::for_hash(std::string_view hash, uint64_t size) {
  const bool is_git = is_hexadecimal(hash, 40);
  if (!is_git && !is_hexadecimal(hash, 64)) {
    return make_error(ErrorKind::unsupported,
                      "hash \"{}\": expected 64 (SHA-256) or 40 (git) hexadecimal digits",
                      hash.substr(0, 80));
  }
  Digest digest(std::make_unique<State>());
  EVP_MD_CTX* context = digest.state_->context.get();
  if (context == nullptr || EVP_DigestInit_ex(context, is_git ? EVP_sha1() : EVP_sha256(), nullptr) != 1) {
    return make_error(ErrorKind::unsupported, "the cryptographic library refuses {}",
                      is_git ? "SHA-1" : "SHA-256");
  }
  if (is_git) {
    const std::string header = fmt::format("blob {}", size) + '\0';
    digest.add(std::as_bytes(std::span(header)));
  }
  return digest;
}

void Digest::add(std::span<const std::byte> bytes) {
  // Updates of a context that was set up cannot fail.
  PLM_CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int n = 0;
  PLM_CHECK(EVP_DigestFinal_ex(state_->context.get(), bytes.data(), &n) == 1);
  std::string text;
  for (unsigned int i = 0; i < n; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

}  // namespace plm::hub
