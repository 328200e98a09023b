#include "model/gqa/gqa_weights.h"

#include <set>

#include "model/lora/low_rank_loader.h"

namespace plm::model {
namespace {

// Plans the tensors of a file and remembers which it has seen: a file with more than the architecture
// needs is some other model.
class Planner {
 public:
  Planner(const gguf::File& file, const GqaConfig& config, std::span<const ScaledAdapter> adapters)
      : file_(file), config_(config), c_(config.common), loader_(file), adapters_(adapters, loader_) {}

  Status plan(GqaWeights& weights) {
    PLM_TRY(weights.embedding_WD, matrix("token_embd.weight", c_.vocabulary_size, c_.width));
    PLM_TRY(weights.output_norm_D, vector("output_norm.weight", c_.width));
    for (float& x : weights.output_norm_D) x *= config_.logit_scale;
    kernels::FileMatrix output = weights.embedding_WD;
    if (file_.find_tensor("output.weight") != nullptr) {
      PLM_TRY(output, matrix("output.weight", c_.vocabulary_size, c_.width));
      const auto change = [&](const char* name, LowRank& lora) {
        return adapters_.add(name, c_.vocabulary_size, c_.width, {}, lora);
      };
      PLM_TRY_STATUS(change("token_embd.weight", weights.embedding_lora));
      PLM_TRY_STATUS(change("output.weight", weights.output_lora));
    }
    loader_.add_packed(output, {}, &weights.output_WD);
    seen_.insert("rope_freqs.weight");  // read_gqa_config has
    weights.layers.resize(static_cast<size_t>(c_.n_layers));
    for (int64_t i = 0; i < c_.n_layers; ++i)
      PLM_TRY_STATUS(plan_layer(i, weights.layers[static_cast<size_t>(i)]));
    weights.largest_adapter_rank = adapters_.largest_rank();
    PLM_TRY_STATUS(refuse_unknown_tensors());
    return adapters_.refuse_others(c_.architecture);
  }

  WeightLoader& loader() { return loader_; }

 private:
  Result<kernels::FileMatrix> matrix(const std::string& name, int64_t rows, int64_t cols) {
    seen_.insert(name);
    return loader_.matrix(name, rows, cols);
  }

  Result<std::vector<float>> vector(const std::string& name, int64_t n) {
    seen_.insert(name);
    return loader_.vector(name, n);
  }

  Result<std::vector<float>> vector_or_none(const std::string& name, int64_t n) {
    if (file_.find_tensor(name) == nullptr) return std::vector<float>();
    return vector(name, n);
  }

  Status add(const std::string& name, int64_t rows, int64_t cols, std::vector<int64_t> row_map,
             kernels::PackedMatrix* out, LowRank& lora) {
    PLM_TRY(const kernels::FileMatrix source, matrix(name, rows, cols));
    loader_.add_packed(source, row_map, out);
    return adapters_.add(name, rows, cols, std::move(row_map), lora);
  }

  // Where in the file the rows of heads are that are rotated; empty: in order.
  std::vector<int64_t> rotated_rows(int64_t n_heads) const {
    if (config_.rope_pairs == RopePairs::neighbours) return {};
    const int64_t Q = c_.key_width(), R = c_.rope_width;
    std::vector<int64_t> rows;
    for (int64_t row = 0; row < n_heads * Q; ++row) {
      const int64_t i = row % Q;
      rows.push_back(row - i + (i < R ? i / 2 + (i % 2) * (R / 2) : i));
    }
    return rows;
  }

  std::vector<float> rotated(const std::vector<float>& numbers) const {
    const std::vector<int64_t> from =
        numbers.empty() ? std::vector<int64_t>()
                        : rotated_rows(static_cast<int64_t>(numbers.size()) / c_.key_width());
    if (from.empty()) return numbers;
    std::vector<float> out;
    for (const int64_t i : from) out.push_back(numbers[static_cast<size_t>(i)]);
    return out;
  }

  Result<std::vector<float>> rotated_vector_or_none(const std::string& name, int64_t n) {
    PLM_TRY(const std::vector<float> numbers, vector_or_none(name, n));
    return rotated(numbers);
  }

  Status plan_layer(int64_t index, GqaLayer& layer) {
    const auto name = [&](std::string_view part) { return fmt::format("blk.{}.{}", index, part); };
    const int64_t D = c_.width, F = c_.ffn_width, H = c_.n_heads, G = c_.n_kv_heads, Q = c_.key_width();
    const int64_t V = c_.value_width;
    PLM_TRY(layer.attn_norm_D, vector(name("attn_norm.weight"), D));
    PLM_TRY_STATUS(add(name("attn_q.weight"), H * Q, D, rotated_rows(H), &layer.q_proj_PD, layer.q_lora));
    PLM_TRY_STATUS(add(name("attn_k.weight"), G * Q, D, rotated_rows(G), &layer.k_proj_JD, layer.k_lora));
    PLM_TRY_STATUS(add(name("attn_v.weight"), G * V, D, {}, &layer.v_proj_UD, layer.v_lora));
    PLM_TRY(layer.q_bias_P, rotated_vector_or_none(name("attn_q.bias"), H * Q));
    PLM_TRY(layer.k_bias_J, rotated_vector_or_none(name("attn_k.bias"), G * Q));
    PLM_TRY(layer.v_bias_U, vector_or_none(name("attn_v.bias"), G * V));
    if (config_.has_head_norms) {
      PLM_TRY(const std::vector<float> q_norm, vector(name("attn_q_norm.weight"), Q));
      PLM_TRY(const std::vector<float> k_norm, vector(name("attn_k_norm.weight"), Q));
      layer.q_norm_Q = rotated(q_norm);
      layer.k_norm_Q = rotated(k_norm);
    }
    PLM_TRY_STATUS(add(name("attn_output.weight"), D, H * V, {}, &layer.out_proj_DO, layer.out_lora));
    PLM_TRY(layer.out_bias_D, vector_or_none(name("attn_output.bias"), D));
    for (float& x : layer.out_bias_D) x *= config_.residual_scale;
    PLM_TRY(layer.ffn_norm_D, vector(name("ffn_norm.weight"), D));
    PLM_TRY_STATUS(add(name("ffn_gate.weight"), F, D, {}, &layer.ffn_gate_FD, layer.ffn_gate_lora));
    PLM_TRY_STATUS(add(name("ffn_up.weight"), F, D, {}, &layer.ffn_up_FD, layer.ffn_up_lora));
    return add(name("ffn_down.weight"), D, F, {}, &layer.ffn_down_DF, layer.ffn_down_lora);
  }

  Status refuse_unknown_tensors() const {
    for (const gguf::TensorInfo& tensor : file_.tensors()) {
      if (seen_.find(tensor.name) != seen_.end()) continue;
      return make_error(ErrorKind::unsupported,
                        "{}: tensor {}: found, expected none of this name in a {} of {} layers", file_.path(),
                        tensor.name, c_.architecture, c_.n_layers);
    }
    return {};
  }

  const gguf::File& file_;
  const GqaConfig& config_;
  const Config& c_;
  WeightLoader loader_;
  LowRankLoader adapters_;
  std::set<std::string, std::less<>> seen_;
};

}  // namespace

int64_t GqaLayer::adapter_bytes() const {
  return q_lora.bytes() + k_lora.bytes() + v_lora.bytes() + out_lora.bytes() + ffn_gate_lora.bytes() +
         ffn_up_lora.bytes() + ffn_down_lora.bytes();
}

Result<GqaWeights> GqaWeights::load(const gguf::File& file, const GqaConfig& config,
                                    const LoadOptions& options, ThreadPool& pool) {
  GqaWeights weights;
  Planner planner(file, config, options.adapters);
  PLM_TRY_STATUS(planner.plan(weights));
  PLM_TRY_STATUS(planner.loader().pack(pool, options.progress));
  weights.storage = planner.loader().release();
  return weights;
}

}  // namespace plm::model
