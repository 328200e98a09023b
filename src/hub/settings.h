// What the environment says about the hub, under huggingface_hub's names.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace plm::hub {

struct Settings {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT; no slash at its end
  std::string cache;  // HF_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME or ~/.cache, /huggingface/hub
  std::string token;  // HF_TOKEN, else the file HF_TOKEN_PATH, else HF_HOME/token; may be empty
  std::string certificates;   // CURL_CA_BUNDLE or SSL_CERT_FILE; empty: the system's
  bool is_offline = false;    // HF_HUB_OFFLINE
  double stall_seconds = 10;  // HF_HUB_DOWNLOAD_TIMEOUT: a transfer that brings nothing for so long is broken
  int n_tries = 6;            // of a request that broke without bringing anything
};

using Environment = std::function<const char*(const char* name)>;

// Fails with invalid_argument on a token, endpoint or number that cannot be used, naming the variable, and
// with not_found when neither a cache nor a home is named.
Result<Settings> settings_from(const Environment& environment);

// A token becomes a line of a request: visible characters only. `origin` is for the message.
Status check_token(const std::string& token, std::string_view origin);

}  // namespace plm::hub
