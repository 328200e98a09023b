#include "model/gqa/gqa_config.h"

#include <cmath>

#include "model/rope.h"
#include "model/weights.h"

namespace plm::model {
namespace {

// What each frequency is divided by (Llama 3.1 and later); empty where the file has none.
Result<std::vector<float>> read_rope_factors(const gguf::File& file, int64_t rope_width) {
  constexpr const char* kName = "rope_freqs.weight";
  if (file.find_tensor(kName) == nullptr) return std::vector<float>();
  PLM_TRY(std::vector<float> factors, WeightLoader(file).vector(kName, rope_width / 2));
  for (const float factor : factors) {
    if (!(factor > 0) || !std::isfinite(factor)) {
      return make_error(ErrorKind::bad_data, "{}: tensor {}: found {}, expected positive numbers",
                        file.path(), kName, factor);
    }
  }
  return factors;
}

// By how much positions are shrunk in a linearly stretched context.
Result<double> read_linear_scaling(const ConfigKeys& keys) {
  const gguf::File& file = keys.file();
  const std::string name = keys.name("rope.scaling.type");
  PLM_TRY(const std::string_view type,
          file.get_string_or(name, keys.has("rope.scale_linear") ? "linear" : "none"));
  if (type == "none") return 1.0;
  if (type != "linear") {
    return make_error(ErrorKind::unsupported, "{}: key {}: found \"{}\", expected none or linear",
                      file.path(), name, type);
  }
  PLM_TRY(const float factor,
          keys.positive_or(keys.has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear", 1));
  return static_cast<double>(factor);
}

Status check_heads(const ConfigKeys& keys, const Config& c) {
  if (c.n_heads % c.n_kv_heads == 0) return {};
  return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected a divisor of {} ({})",
                    keys.file().path(), keys.name("attention.head_count_kv"), c.n_kv_heads, c.n_heads,
                    keys.name("attention.head_count"));
}

Status refuse_experts(const ConfigKeys& keys) {
  PLM_TRY(const uint64_t n_experts, keys.file().get_uint_or(keys.name("expert_count"), 0));
  if (n_experts == 0) return {};
  return make_error(ErrorKind::unsupported,
                    "{}: key {}: found {}, expected 0: mixtures of experts are not supported",
                    keys.file().path(), keys.name("expert_count"), n_experts);
}

}  // namespace

Result<GqaConfig> read_gqa_config(const ConfigKeys& keys, std::string_view architecture) {
  GqaConfig config;
  PLM_TRY_STATUS(refuse_experts(keys));
  PLM_TRY(config.common, read_common_config(keys, architecture));
  Config& c = config.common;
  PLM_TRY(c.n_kv_heads, keys.size_or("attention.head_count_kv", c.n_heads));
  PLM_TRY_STATUS(check_heads(keys, c));
  const int64_t head_width = std::max<int64_t>(1, c.width / c.n_heads);
  PLM_TRY(const int64_t key_width, keys.size_or("attention.key_length", head_width));
  PLM_TRY(c.value_width, keys.size_or("attention.value_length", head_width));
  PLM_TRY(c.rope_width, keys.rope_width(key_width, key_width));
  c.nope_width = key_width - c.rope_width;
  PLM_TRY(c.rope_base, keys.positive_or("rope.freq_base", 10000));
  PLM_TRY(const std::vector<float> factors, read_rope_factors(keys.file(), c.rope_width));
  PLM_TRY(const double stretch, read_linear_scaling(keys));
  config.rope_frequencies = rope_frequencies(c.rope_width, static_cast<double>(c.rope_base), factors);
  for (double& frequency : config.rope_frequencies) frequency /= stretch;
  return config;
}

}  // namespace plm::model
