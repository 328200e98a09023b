#include "convert/architecture.h"

#include <charconv>

namespace plm::convert {
namespace {

constexpr const Architecture* kArchitectures[] = {&kPlm, &kLlama, &kQwen2, &kQwen3, &kMiniCpm};

std::string known_names() {
  std::string names;
  for (const Architecture* architecture : kArchitectures) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", architecture->name);
  }
  return names;
}

// transformers 5 moved rope_theta into rope_parameters.
Result<double> read_rope_base(const JsonFields& fields) {
  constexpr double kDefaultBase = 10000;  // of transformers, where config.json says nothing
  PLM_TRY(const JsonFields parameters, fields.object("rope_parameters"));
  if (fields.find("rope_theta") == nullptr) return parameters.positive_or("rope_theta", kDefaultBase);
  return fields.positive("rope_theta");
}

// A number of GGUF that config.json would hold within the same limits.
Result<int64_t> read_size(const gguf::File& file, const std::string& key) {
  PLM_TRY(const uint64_t value, file.get_uint(key));
  if (value == 0 || value > static_cast<uint64_t>(kLargestSize)) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected 1 to {}", file.path(), key, value,
                      kLargestSize);
  }
  return static_cast<int64_t>(value);
}

Result<double> read_positive(const gguf::File& file, const std::string& key) {
  PLM_TRY(const double value, file.get_float(key));
  if (value > 0) return value;
  return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected a positive number", file.path(), key,
                    value);
}

}  // namespace

double shortest_decimal(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), static_cast<float>(value)).ptr;
  double result = value;
  std::from_chars(text, end, result);
  return result;
}

int64_t size_of(const ModelConfig& c, Size size) {
  switch (size) {
    case Size::none:
      return 1;
    case Size::width:
      return c.width;
    case Size::ffn:
      return c.ffn_width;
    case Size::vocabulary:
      return c.vocabulary_size;
    case Size::queries:
      return c.n_heads * c.key_width;
    case Size::keys:
      return c.n_kv_heads * c.key_width;
    case Size::values:
      return c.n_kv_heads * c.value_width;
    case Size::attended:
      return c.n_heads * c.value_width;
    case Size::head:
      return c.key_width;
    case Size::latent:
      return c.latent_width;
    case Size::cache_row:
      return c.latent_width + c.rope_width;
    case Size::expanded:
      return c.n_heads * (c.key_width - c.rope_width + c.value_width);
  }
  return 1;
}

std::span<const Architecture* const> all_architectures() { return kArchitectures; }

Result<const Architecture*> find_architecture(const JsonFields& fields) {
  std::string found;
  if (const Json* classes = fields.find("architectures"); classes != nullptr) {
    if (!classes->is_array() || classes->empty() || !(*classes)[0].is_string()) {
      return fields.wrong("architectures", *classes, "an array with the name of a class");
    }
    found = (*classes)[0].get<std::string>();
  }
  PLM_TRY(const std::string model_type, fields.string_or("model_type", ""));
  for (const Architecture* architecture : kArchitectures) {
    if (found.empty() ? model_type == architecture->model_type : found == architecture->class_name) {
      return architecture;
    }
  }
  return make_error(ErrorKind::unsupported,
                    "{}: field {}: found \"{}\", expected a model of one of these kinds: {}", fields.path(),
                    found.empty() ? "model_type" : "architectures", shown(found.empty() ? model_type : found),
                    known_names());
}

Result<const Architecture*> find_architecture(const gguf::File& file) {
  PLM_TRY(const std::string_view name, file.get_string("general.architecture"));
  for (const Architecture* architecture : kArchitectures) {
    if (architecture->name == name) return architecture;
  }
  return make_error(ErrorKind::unsupported, "{}: key general.architecture: found \"{}\", expected one of: {}",
                    file.path(), gguf::printable(name), known_names());
}

Result<ModelConfig> read_config(const Architecture& architecture, const JsonFields& fields) {
  PLM_TRY_STATUS(fields.expect_absent("quantization_config", "weights in F32, F16 or BF16"));
  ModelConfig c;
  PLM_TRY(c.n_layers, fields.size("num_hidden_layers"));
  PLM_TRY(c.width, fields.size("hidden_size"));
  PLM_TRY(c.ffn_width, fields.size("intermediate_size"));
  PLM_TRY(c.n_heads, fields.size("num_attention_heads"));
  PLM_TRY(c.n_kv_heads, fields.size_or("num_key_value_heads", c.n_heads));
  PLM_TRY(c.vocabulary_size, fields.size("vocab_size"));
  PLM_TRY(c.context_length, fields.size("max_position_embeddings"));
  PLM_TRY(c.rms_epsilon, fields.positive("rms_norm_eps"));
  PLM_TRY(c.rope_base, read_rope_base(fields));
  PLM_TRY_STATUS(architecture.read_fields(fields, c));
  return c;
}

Result<ModelConfig> read_config(const Architecture& architecture, const gguf::File& file) {
  const auto key = [&](std::string_view name) { return fmt::format("{}.{}", architecture.name, name); };
  ModelConfig c;
  PLM_TRY(c.n_layers, read_size(file, key("block_count")));
  PLM_TRY(c.context_length, read_size(file, key("context_length")));
  PLM_TRY(c.width, read_size(file, key("embedding_length")));
  PLM_TRY(c.ffn_width, read_size(file, key("feed_forward_length")));
  PLM_TRY(c.n_heads, read_size(file, key("attention.head_count")));
  c.n_kv_heads = c.n_heads;
  if (file.find(key("attention.head_count_kv")) != nullptr) {
    PLM_TRY(c.n_kv_heads, read_size(file, key("attention.head_count_kv")));
  }
  PLM_TRY(c.rms_epsilon, read_positive(file, key("attention.layer_norm_rms_epsilon")));
  c.rms_epsilon = shortest_decimal(c.rms_epsilon);
  c.rope_base = 10000;
  if (file.find(key("rope.freq_base")) != nullptr) {
    PLM_TRY(c.rope_base, read_positive(file, key("rope.freq_base")));
  }
  const gguf::TensorInfo* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) {
    return make_error(ErrorKind::bad_data, "{}: tensor token_embd.weight: not found", file.path());
  }
  c.vocabulary_size = embedding->shape[1];
  c.is_tied = file.find_tensor("output.weight") == nullptr;
  c.has_attention_biases = file.find_tensor("blk.0.attn_q.bias") != nullptr;
  for (const auto& [name, width] :
       {std::pair{"attention.key_length", &c.key_width}, std::pair{"attention.value_length", &c.value_width},
        std::pair{"rope.dimension_count", &c.rope_width},
        std::pair{"attention.kv_lora_rank", &c.latent_width}}) {
    if (file.find(key(name)) == nullptr) continue;
    PLM_TRY(*width, read_size(file, key(name)));
  }
  PLM_TRY_STATUS(architecture.read_keys(file, c));
  return c;
}

void write_common_keys(const Architecture& architecture, const ModelConfig& c, gguf::MetadataBuilder& keys) {
  const auto set_size = [&](std::string_view name, int64_t value) {
    keys.set_u32(fmt::format("{}.{}", architecture.name, name), static_cast<uint32_t>(value));
  };
  const auto set_real = [&](std::string_view name, double value) {
    keys.set_f32(fmt::format("{}.{}", architecture.name, name), static_cast<float>(value));
  };
  set_size("block_count", c.n_layers);
  set_size("context_length", c.context_length);
  set_size("embedding_length", c.width);
  set_size("feed_forward_length", c.ffn_width);
  set_size("attention.head_count", c.n_heads);
  set_size("attention.head_count_kv", c.n_kv_heads);
  set_real("rope.freq_base", c.rope_base);
  set_real("attention.layer_norm_rms_epsilon", c.rms_epsilon);
  if (c.states_head_width) {
    set_size("attention.key_length", c.key_width);
    set_size("attention.value_length", c.value_width);
  }
}

JsonOut write_config(const Architecture& architecture, const ModelConfig& c) {
  JsonOut fields;
  fields["architectures"] = JsonOut::array({std::string(architecture.class_name)});
  fields["model_type"] = std::string(architecture.model_type);
  fields["vocab_size"] = c.vocabulary_size;
  fields["hidden_size"] = c.width;
  fields["intermediate_size"] = c.ffn_width;
  fields["num_hidden_layers"] = c.n_layers;
  fields["num_attention_heads"] = c.n_heads;
  fields["num_key_value_heads"] = c.n_kv_heads;
  fields["max_position_embeddings"] = c.context_length;
  fields["rms_norm_eps"] = c.rms_epsilon;
  fields["rope_theta"] = c.rope_base;
  fields["tie_word_embeddings"] = c.is_tied;
  fields["attention_dropout"] = 0.0;
  fields["initializer_range"] = 0.02;
  fields["use_cache"] = true;
  architecture.write_fields(c, fields);
  return fields;
}

std::string layer_name(std::string_view pattern, int64_t layer) {
  const size_t at = pattern.find("{}");
  if (at == std::string_view::npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, at), layer, pattern.substr(at + 2));
}

std::optional<LayerMatch> match_layer_name(std::string_view pattern, std::string_view name) {
  const size_t at = pattern.find("{}");
  if (at == std::string_view::npos) {
    return pattern == name && !pattern.empty() ? std::optional(LayerMatch{}) : std::nullopt;
  }
  const std::string_view before = pattern.substr(0, at);
  const std::string_view after = pattern.substr(at + 2);
  if (name.size() <= before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after)) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(before.size(), name.size() - before.size() - after.size());
  int64_t layer = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
  // One spelling for each number: "00" is not layer 0.
  if (problem != std::errc() || layer < 0 || end != digits.data() + digits.size() ||
      digits != std::to_string(layer)) {
    return std::nullopt;
  }
  return LayerMatch{layer};
}

}  // namespace plm::convert
