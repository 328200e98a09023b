#include "train/setup/model_config.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/mapped_file.h"

namespace plm::train {
namespace {

using Json = nlohmann::json;

// Three sizes of this many multiply without overflow.
constexpr int64_t kMaxSize = int64_t{1} << 20;

struct Reader {
  const Json& json;
  const std::string& name;

  template <class... Args>
  Error error(ErrorKind kind, std::string_view field, fmt::format_string<Args...> format,
              Args&&... args) const {
    return Error{kind,
                 fmt::format("{}: {}: {}", name, field, fmt::format(format, std::forward<Args>(args)...))};
  }

  Status size(const char* field, int64_t& out) const {
    const auto found = json.find(field);
    if (found == json.end()) return error(ErrorKind::bad_data, field, "missing, expected a whole number");
    if (!found->is_number_integer() || found->get<int64_t>() < 1 || found->get<int64_t>() > kMaxSize) {
      return error(ErrorKind::bad_data, field, "found {}, expected a whole number of 1 to {}", found->dump(),
                   kMaxSize);
    }
    out = found->get<int64_t>();
    return {};
  }

  Status positive(const char* field, double& out) const {
    const auto found = json.find(field);
    if (found == json.end()) return {};
    if (!found->is_number() || found->get<double>() <= 0) {
      return error(ErrorKind::bad_data, field, "found {}, expected a positive number", found->dump());
    }
    out = found->get<double>();
    return {};
  }

  // The field may be absent; when it is there it must have this value.
  Status only(const char* field, const Json& wanted) const {
    const auto found = json.find(field);
    if (found == json.end() || *found == wanted) return {};
    return error(ErrorKind::unsupported, field, "found {}, only {} can be trained", found->dump(),
                 wanted.dump());
  }
};

using Sizes = std::vector<std::pair<const char*, int64_t*>>;

Status read_common(const Reader& read, ModelConfig& config) {
  PLM_TRY_STATUS(read.only("rope_scaling", nullptr));
  PLM_TRY_STATUS(read.only("attention_bias", false));
  PLM_TRY_STATUS(read.only("mlp_bias", false));
  const Sizes sizes = {
      {"vocab_size", &config.vocabulary},       {"hidden_size", &config.width},
      {"num_hidden_layers", &config.n_layers},  {"num_attention_heads", &config.n_heads},
      {"intermediate_size", &config.ffn_width}, {"max_position_embeddings", &config.context_length},
  };
  for (const auto& [field, out] : sizes) PLM_TRY_STATUS(read.size(field, *out));
  PLM_TRY_STATUS(read.positive("rope_theta", config.rope_theta));
  PLM_TRY_STATUS(read.positive("rms_norm_eps", config.norm_eps));
  return read.positive("initializer_range", config.initializer_range);
}

Status read_plm(const Reader& read, ModelConfig& config) {
  PLM_TRY_STATUS(read.only("hidden_act", "relu2"));
  PLM_TRY_STATUS(read.only("q_lora_rank", nullptr));
  PLM_TRY_STATUS(read.only("rope_interleave", true));
  PLM_TRY_STATUS(read.only("tie_word_embeddings", true));
  config.rope_theta = 100000.0;
  PLM_TRY_STATUS(read_common(read, config));
  const Sizes sizes = {{"kv_lora_rank", &config.latent_width},
                       {"qk_nope_head_dim", &config.no_rope_width},
                       {"qk_rope_head_dim", &config.rope_width},
                       {"v_head_dim", &config.value_width}};
  for (const auto& [field, out] : sizes) PLM_TRY_STATUS(read.size(field, *out));
  if (config.rope_width % 2 == 0) return {};
  return read.error(ErrorKind::bad_data, "qk_rope_head_dim", "found {}, expected an even number",
                    config.rope_width);
}

Status read_llama(const Reader& read, ModelConfig& config) {
  config.architecture = Architecture::llama;
  PLM_TRY_STATUS(read.only("hidden_act", "silu"));
  // transformers' default is an untied head.
  if (!read.json.contains("tie_word_embeddings")) {
    return read.error(ErrorKind::unsupported, "tie_word_embeddings", "missing, only true can be trained");
  }
  PLM_TRY_STATUS(read.only("tie_word_embeddings", true));
  PLM_TRY_STATUS(read_common(read, config));
  config.n_kv_heads = config.n_heads;
  if (read.json.contains("num_key_value_heads"))
    PLM_TRY_STATUS(read.size("num_key_value_heads", config.n_kv_heads));
  config.value_width = config.width / config.n_heads;
  if (read.json.contains("head_dim")) PLM_TRY_STATUS(read.size("head_dim", config.value_width));
  config.rope_width = config.value_width;
  if (config.n_heads % config.n_kv_heads != 0) {
    return read.error(ErrorKind::bad_data, "num_key_value_heads", "found {}, expected a divisor of {}",
                      config.n_kv_heads, config.n_heads);
  }
  if (config.rope_width > 0 && config.rope_width % 2 == 0) return {};
  return read.error(ErrorKind::bad_data, "head_dim", "found {}, expected an even number", config.rope_width);
}

void read_eos(const Json& json, ModelConfig& config) {
  const auto found = json.find("eos_token_id");
  if (found == json.end()) return;
  const Json& first = found->is_array() && !found->empty() ? found->front() : *found;
  if (first.is_number_integer() && first.get<int64_t>() >= 0 && first.get<int64_t>() < config.vocabulary) {
    config.eos_token = first.get<int64_t>();
  }
}

}  // namespace

int64_t ModelConfig::n_parameters() const {
  const bool latent = architecture == Architecture::plm;
  const int64_t keys_values =
      latent ? (latent_width + rope_width) * width + n_heads * (no_rope_width + value_width) * latent_width
             : 2 * n_kv_heads * value_width * width;
  const int64_t attention = n_heads * (query_width() + value_width) * width + keys_values;
  const int64_t layer = attention + (latent ? 2 : 3) * ffn_width * width + 2 * width + latent_width;
  return vocabulary * width + n_layers * layer + width;
}

double ModelConfig::training_flops_per_token(int64_t sequence_length) const {
  const double products =
      6.0 * static_cast<double>(n_parameters());  // the tied embedding counts once, as head
  const double attention = 3.0 * static_cast<double>(n_layers * n_heads * (query_width() + value_width)) *
                           static_cast<double>(sequence_length);
  return products + attention;
}

Result<ModelConfig> parse_model_config(const std::string& text, const std::string& name) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return make_error(ErrorKind::bad_data, "{}: not a JSON object", name);
  const Reader read{json, name};
  ModelConfig config;
  config.rope_theta = 10000.0;
  config.norm_eps = 1e-6;
  const std::string type = json.value("model_type", Json("plm")).dump();
  if (type != "\"plm\"" && type != "\"llama\"") {
    return read.error(ErrorKind::unsupported, "model_type", "found {}, expected plm or llama", type);
  }
  PLM_TRY_STATUS(type == "\"plm\"" ? read_plm(read, config) : read_llama(read, config));
  read_eos(json, config);
  config.json = text;
  return config;
}

Result<ModelConfig> read_model_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  PLM_TRY(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  return parse_model_config(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), path);
}

}  // namespace plm::train
