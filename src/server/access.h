// Who may ask: API keys, and web pages of other origins kept out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/http_head.h"

namespace plm::server {

struct AccessOptions {
  std::vector<std::string> api_keys = {};      // none: everybody may ask
  std::vector<std::string> cors_origins = {};  // "https://page.example"; "*": any. Of others no page may ask
  // Where the server listens only to this machine, a Host that names another one comes from a page whose name
  // was turned to us (DNS rebinding).
  bool is_local = true;
  std::string host = {};  // what it listens on
};

struct Refusal {
  int status;
  std::string message;
};

// Does not change: for any thread.
class Access {
 public:
  explicit Access(AccessOptions options) : options_(std::move(options)) {}

  // Host and Origin. Of every request.
  std::optional<Refusal> check_origin(const HttpHead& head) const;
  // The key, in "Authorization: Bearer" or "X-Api-Key". Takes as long for a wrong key as for a right one.
  std::optional<Refusal> check_key(const HttpHead& head) const;

  // The Origin when its pages may read our answers, else "".
  std::string allowed_origin(const HttpHead& head) const;

 private:
  AccessOptions options_;
};

}  // namespace plm::server
