// What the endpoints of Ollama's own API (/api/..) have in common.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "gguf/gguf_file.h"
#include "server/json.h"

namespace plm::server {

// Errors under these paths are {"error": "text"}.
inline constexpr std::string_view kOllamaPaths = "/api/";

// "2026-11-26T21:45:51.123456Z".
std::string rfc3339(std::chrono::system_clock::time_point time);

// As Ollama calls models: "name:tag". A name without a tag gets "latest".
std::string ollama_name(std::string_view model_name);

// An entry of /api/tags: "name", "model", "modified_at", "size", "digest" and "details". `quantization`: what
// the file's types are called together. The digest is of the sizes of the file's shards and of some of their
// bytes: another file's is another, but it is not the SHA-256 of them all, which would have to be read.
Json ollama_model_entry(const gguf::File& file, std::string_view model_name, std::string_view quantization);

// "model_info" of /api/show: the file's metadata. Long arrays are null unless they are asked for.
enum class LongArrays { as_null, whole };
Json ollama_model_info(const gguf::File& file, LongArrays long_arrays);

}  // namespace plm::server
