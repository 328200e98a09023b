#include "inspect/model_summary.h"

namespace plm::inspect {

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string_view part_of(std::string_view name) {
  if (name == "token_embd.weight") return "embedding";
  if (name == "output.weight") return "output";
  if (contains(name, "norm")) return "norms";
  if (contains(name, ".attn_")) return "attention";
  if (contains(name, ".ffn_")) return "feed-forward";
  return "other";
}

void add(TensorGroup& group, const gguf::TensorInfo& tensor) {
  ++group.n_tensors;
  group.n_parameters += tensor.n_elements;
  group.bytes += tensor.bytes;
}

// A size of the model; 0 where the key is absent. Limited, so that products of four stay within 64 bits.
Result<int64_t> read_size(const gguf::File& file, const std::string& key) {
  constexpr uint64_t kMax = 1 << 24;
  PLM_TRY(const uint64_t value, file.get_uint_or(key, 0));
  if (value > kMax) {
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected at most {}", file.path(), key,
                      value, kMax);
  }
  return static_cast<int64_t>(value);
}

Result<std::optional<CacheBytes>> cache_bytes(const gguf::File& file, const std::string& prefix) {
  PLM_TRY(const int64_t latent, read_size(file, prefix + "attention.kv_lora_rank"));
  PLM_TRY(const int64_t n_layers, read_size(file, prefix + "block_count"));
  PLM_TRY(const int64_t rope, read_size(file, prefix + "rope.dimension_count"));
  PLM_TRY(const int64_t n_heads, read_size(file, prefix + "attention.head_count"));
  PLM_TRY(int64_t n_kv_heads, read_size(file, prefix + "attention.head_count_kv"));
  PLM_TRY(const int64_t width, read_size(file, prefix + "embedding_length"));
  PLM_TRY(int64_t key, read_size(file, prefix + "attention.key_length"));
  PLM_TRY(int64_t value, read_size(file, prefix + "attention.value_length"));
  if (n_layers == 0 || n_heads == 0) return std::optional<CacheBytes>();
  // What absent keys mean.
  if (n_kv_heads == 0) n_kv_heads = n_heads;
  if (key == 0) key = width / n_heads;
  if (value == 0) value = width / n_heads;
  constexpr int64_t kBytesF16 = 2;
  const double expanded =
      static_cast<double>(n_layers) * static_cast<double>(n_kv_heads) * static_cast<double>(key + value);
  if (expanded == 0 || expanded > 1e15)
    return std::optional<CacheBytes>();  // no model: nothing worth printing
  return std::optional(CacheBytes{.latent_f16 = latent == 0 ? 0 : n_layers * (latent + rope) * kBytesF16,
                                  .expanded_f16 = n_layers * n_kv_heads * (key + value) * kBytesF16});
}

}  // namespace

int64_t ModelSummary::activated_parameters(double zero_share) const {
  return all.n_parameters -
         static_cast<int64_t>(zero_share * static_cast<double>(down_projection.n_parameters));
}

int64_t ModelSummary::activated_parameters_with_up(double zero_share) const {
  return activated_parameters(zero_share) -
         static_cast<int64_t>(zero_share * static_cast<double>(up_projection.n_parameters));
}

int64_t ModelSummary::activated_bytes(double zero_share) const {
  return bytes_per_token - static_cast<int64_t>(zero_share * static_cast<double>(down_projection.bytes));
}

Result<ModelSummary> summarize(const gguf::File& file) {
  ModelSummary summary;
  PLM_TRY(const auto architecture, file.get_string_or("general.architecture", ""));
  summary.architecture = architecture;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    add(summary.all, tensor);
    add(summary.by_type[std::string(tensor_type_name(tensor.type))], tensor);
    add(summary.by_part[std::string(part_of(tensor.name))], tensor);
    if (contains(tensor.name, ".ffn_down.weight")) add(summary.down_projection, tensor);
    if (contains(tensor.name, ".ffn_up.weight")) add(summary.up_projection, tensor);
    if (contains(tensor.name, ".ffn_gate")) summary.is_gated = true;
  }
  if (summary.is_gated) summary.down_projection = summary.up_projection = {};
  summary.is_output_tied =
      file.find_tensor("token_embd.weight") != nullptr && file.find_tensor("output.weight") == nullptr;
  summary.bytes_per_token = summary.all.bytes;
  if (!summary.is_output_tied) summary.bytes_per_token -= summary.by_part["embedding"].bytes;
  if (!summary.architecture.empty()) {
    PLM_TRY(summary.cache, cache_bytes(file, summary.architecture + "."));
  }
  std::erase_if(summary.by_part, [](const auto& part) { return part.second.n_tensors == 0; });
  return summary;
}

}  // namespace plm::inspect
