#include "hub/settings.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>

namespace plm::hub {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxToken = 4096;

std::string text_of(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_true(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text == "1" || text == "ON" || text == "YES" || text == "TRUE";
}

// A leading ~ is the home, as in huggingface_hub.
fs::path expanded(const std::string& path, const std::string& home) {
  if (path == "~" || path.starts_with("~/")) return fs::path(home + path.substr(1));
  return fs::path(path);
}

// The first line of a file, without blanks; empty where there is none.
std::string first_word(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> std::setw(static_cast<int>(kMaxToken) + 1) >> word;
  return word;
}

Result<double> positive_number(const std::string& text, const char* name) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size() || !(value > 0) || !std::isfinite(value)) {
    return make_error(ErrorKind::invalid_argument, "{}: found \"{}\", expected seconds above 0", name, text);
  }
  return value;
}

}  // namespace

Status check_token(const std::string& token, std::string_view origin) {
  const bool is_visible =
      std::all_of(token.begin(), token.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (is_visible && token.size() <= kMaxToken) return {};
  return make_error(ErrorKind::invalid_argument, "{}: the token holds characters that no token has", origin);
}

Result<Settings> settings_from(const Environment& environment) {
  Settings settings;
  if (std::string endpoint = text_of(environment, "HF_ENDPOINT"); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    if (!endpoint.starts_with("https://") && !endpoint.starts_with("http://")) {
      return make_error(ErrorKind::invalid_argument,
                        "HF_ENDPOINT: found \"{}\", expected http:// or https://", endpoint);
    }
    settings.endpoint = endpoint;
  }

  const std::string home = text_of(environment, "HOME");
  fs::path hugging_face = expanded(text_of(environment, "HF_HOME"), home);
  if (hugging_face.empty()) {
    fs::path caches = expanded(text_of(environment, "XDG_CACHE_HOME"), home);
    if (caches.empty() && !home.empty()) caches = fs::path(home) / ".cache";
    if (!caches.empty()) hugging_face = caches / "huggingface";
  }
  fs::path cache = expanded(text_of(environment, "HF_HUB_CACHE"), home);
  if (cache.empty()) cache = expanded(text_of(environment, "HUGGINGFACE_HUB_CACHE"), home);
  if (cache.empty() && !hugging_face.empty()) cache = hugging_face / "hub";
  if (cache.empty()) {
    return make_error(ErrorKind::not_found,
                      "no folder for downloads: set HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME or HOME");
  }
  settings.cache = cache.string();

  std::string token_origin = "HF_TOKEN";
  settings.token = text_of(environment, "HF_TOKEN");
  if (settings.token.empty()) {
    fs::path file = expanded(text_of(environment, "HF_TOKEN_PATH"), home);
    if (file.empty() && !hugging_face.empty()) file = hugging_face / "token";
    token_origin = file.string();
    if (!file.empty()) settings.token = first_word(file);
  }
  PLM_TRY_STATUS(check_token(settings.token, token_origin));

  settings.certificates = text_of(environment, "CURL_CA_BUNDLE");
  if (settings.certificates.empty()) settings.certificates = text_of(environment, "SSL_CERT_FILE");
  settings.is_offline = is_true(text_of(environment, "HF_HUB_OFFLINE"));
  if (const std::string seconds = text_of(environment, "HF_HUB_DOWNLOAD_TIMEOUT"); !seconds.empty()) {
    PLM_TRY(settings.stall_seconds, positive_number(seconds, "HF_HUB_DOWNLOAD_TIMEOUT"));
  }
  return settings;
}

}  // namespace plm::hub
