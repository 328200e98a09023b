#include "model/config.h"

#include <cmath>

namespace plm::model {
namespace {

// Larger numbers do not occur and would make products overflow.
constexpr uint64_t kLargest = uint64_t{1} << 24;

class KeyReader {
 public:
  KeyReader(const gguf::File& file, std::string_view architecture) : file_(file), prefix_(architecture) {}

  Result<int64_t> size(std::string_view key) const {
    const std::string full = name(key);
    PLM_TRY(const uint64_t value, file_.get_uint(full));
    if (value == 0 || value > kLargest) {
      return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected 1 to {}", file_.path(), full,
                        value, kLargest);
    }
    return static_cast<int64_t>(value);
  }

  Result<float> positive(std::string_view key) const {
    const std::string full = name(key);
    PLM_TRY(const double value, file_.get_float(full));
    if (!(value > 0) || !std::isfinite(static_cast<float>(value))) {
      return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected a positive number", file_.path(),
                        full, value);
    }
    return static_cast<float>(value);
  }

  std::string name(std::string_view key) const { return fmt::format("{}.{}", prefix_, key); }

 private:
  const gguf::File& file_;
  std::string prefix_;
};

}  // namespace

Result<Config> read_latent_config(const gguf::File& file, std::string_view architecture) {
  const KeyReader keys(file, architecture);
  Config c;
  c.architecture = architecture;
  PLM_TRY(const std::string_view name, file.get_string_or("general.name", ""));
  c.name = name;
  PLM_TRY(c.n_layers, keys.size("block_count"));
  PLM_TRY(c.width, keys.size("embedding_length"));
  PLM_TRY(c.ffn_width, keys.size("feed_forward_length"));
  PLM_TRY(c.n_heads, keys.size("attention.head_count"));
  PLM_TRY(c.context_length, keys.size("context_length"));
  PLM_TRY(c.kv_lora_rank, keys.size("attention.kv_lora_rank"));
  PLM_TRY(c.rope_width, keys.size("rope.dimension_count"));
  PLM_TRY(c.value_width, keys.size("attention.value_length"));
  PLM_TRY(const int64_t key_width, keys.size("attention.key_length"));
  PLM_TRY(c.rms_epsilon, keys.positive("attention.layer_norm_rms_epsilon"));
  PLM_TRY(c.rope_base, keys.positive("rope.freq_base"));
  if (c.rope_width >= key_width || c.rope_width % 2 != 0) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected an even number below {} ({})",
                      file.path(), keys.name("rope.dimension_count"), c.rope_width, key_width,
                      keys.name("attention.key_length"));
  }
  c.nope_width = key_width - c.rope_width;

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
