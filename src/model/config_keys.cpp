#include "model/config_keys.h"

#include <cmath>

namespace plm::model {
namespace {

// Larger numbers do not occur and would make products overflow.
constexpr uint64_t kLargest = uint64_t{1} << 24;

}  // namespace

std::string ConfigKeys::name(std::string_view key) const { return fmt::format("{}.{}", prefix_, key); }

Result<int64_t> ConfigKeys::size(std::string_view key) const {
  const std::string full = name(key);
  PLM_TRY(const uint64_t value, file_.get_uint(full));
  if (value == 0 || value > kLargest) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected 1 to {}", file_.path(), full,
                      value, kLargest);
  }
  return static_cast<int64_t>(value);
}

Result<int64_t> ConfigKeys::size_or(std::string_view key, int64_t absent) const {
  if (!has(key)) return absent;
  return size(key);
}

Result<float> ConfigKeys::positive(std::string_view key) const {
  const std::string full = name(key);
  PLM_TRY(const double value, file_.get_float(full));
  if (!(value > 0) || !std::isfinite(static_cast<float>(value))) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected a positive number", file_.path(),
                      full, value);
  }
  return static_cast<float>(value);
}

Result<float> ConfigKeys::positive_or(std::string_view key, float absent) const {
  if (!has(key)) return absent;
  return positive(key);
}

Result<int64_t> ConfigKeys::rope_width(int64_t absent, int64_t largest) const {
  PLM_TRY(const int64_t width, size_or("rope.dimension_count", absent));
  if (width > largest || width % 2 != 0) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected an even number of at most {}",
                      file_.path(), name("rope.dimension_count"), width, largest);
  }
  return width;
}

Result<Config> read_common_config(const ConfigKeys& keys, std::string_view architecture) {
  const gguf::File& file = keys.file();
  Config c;
  c.architecture = architecture;
  PLM_TRY(const std::string_view name, file.get_string_or("general.name", ""));
  c.name = name;
  PLM_TRY(c.n_layers, keys.size("block_count"));
  PLM_TRY(c.width, keys.size("embedding_length"));
  PLM_TRY(c.ffn_width, keys.size("feed_forward_length"));
  PLM_TRY(c.n_heads, keys.size("attention.head_count"));
  PLM_TRY(c.context_length, keys.size("context_length"));
  PLM_TRY(c.rms_epsilon, keys.positive("attention.layer_norm_rms_epsilon"));
  c.n_kv_heads = c.n_heads;

  // The vocabulary is as large as the embedding, whatever a key may say.
  const gguf::TensorInfo* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) {
    return make_error(ErrorKind::bad_data, "{}: tensor token_embd.weight: not found{}", file.path(),
                      file.tensors().empty() ? "; the file holds a vocabulary only, no model" : "");
  }
  c.vocabulary_size = embedding->shape[1];
  return c;
}

}  // namespace plm::model
