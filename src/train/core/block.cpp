#include "train/core/block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <optional>

#include "train/core/device.h"

namespace plm::train {
namespace {

// Latent attention and squared ReLU: the layer of src/model/plm.
class PlmBlock : public Block {
 public:
  PlmBlock(const ModelConfig& config, const LeafMaker& leaf)
      : config_(config),
        attention_norm_D_(leaf("input_layernorm.weight")),
        q_proj_(leaf("self_attn.q_proj.weight")),
        kv_down_(leaf("self_attn.kv_a_proj_with_mqa.weight")),
        latent_norm_C_(leaf("self_attn.kv_a_layernorm.weight")),
        kv_up_(leaf("self_attn.kv_b_proj.weight")),
        out_proj_(leaf("self_attn.o_proj.weight")),
        ffn_norm_D_(leaf("post_attention_layernorm.weight")),
        ffn_up_(leaf("mlp.up_proj.weight")),
        ffn_down_(leaf("mlp.down_proj.weight")) {}

  at::Tensor forward(const Pass& pass, const at::Tensor& x_BTD) override {
    const at::Tensor attended = attention(pass, rms_norm(x_BTD, attention_norm_D_, config_.norm_eps));
    const AddedNorm h = add_rms_norm(x_BTD, attended, ffn_norm_D_, config_.norm_eps);
    const at::Tensor live_BTF = squared_relu(at::linear(h.normed, ffn_up_), pass.sparsity_penalty);
    if (pass.count_zeros) count_zeros(live_BTF);
    return h.sum + at::linear(live_BTF, ffn_down_);
  }

 private:
  at::Tensor attention(const Pass& pass, const at::Tensor& x_BTD) const {
    const ModelConfig& n = config_;
    const int64_t B = x_BTD.size(0), T = x_BTD.size(1), H = n.n_heads;
    const int64_t N = n.no_rope_width, V = n.value_width;
    const at::Tensor queries =
        rotate_heads(at::linear(x_BTD, q_proj_).view({B, T, H, n.query_width()}), N, pass.rotation);
    const LatentParts row =
        split_latent(at::linear(x_BTD, kv_down_), latent_norm_C_, n.norm_eps, pass.rotation);
    const int64_t padded = attention_value_width(n, x_BTD.device());
    const KeysValues expanded =
        join_keys_values(at::linear(row.latent_BTC, kv_up_).view({B, T, H, N + V}), row.rope_BTR, V, padded);
    return at::linear(attend(pass, queries, expanded.keys_BHTQ, expanded.values_BHTV, V), out_proj_);
  }

  const ModelConfig config_;
  at::Tensor attention_norm_D_, q_proj_, kv_down_, latent_norm_C_, kv_up_, out_proj_, ffn_norm_D_, ffn_up_,
      ffn_down_;
};

// Grouped-query attention and SwiGLU: Hugging Face's LlamaDecoderLayer.
class LlamaBlock : public Block {
 public:
  LlamaBlock(const ModelConfig& config, const LeafMaker& leaf)
      : config_(config),
        attention_norm_D_(leaf("input_layernorm.weight")),
        q_proj_(leaf("self_attn.q_proj.weight")),
        k_proj_(leaf("self_attn.k_proj.weight")),
        v_proj_(leaf("self_attn.v_proj.weight")),
        out_proj_(leaf("self_attn.o_proj.weight")),
        ffn_norm_D_(leaf("post_attention_layernorm.weight")),
        ffn_gate_(leaf("mlp.gate_proj.weight")),
        ffn_up_(leaf("mlp.up_proj.weight")),
        ffn_down_(leaf("mlp.down_proj.weight")) {}

  at::Tensor forward(const Pass& pass, const at::Tensor& x_BTD) override {
    const at::Tensor attended = attention(pass, rms_norm(x_BTD, attention_norm_D_, config_.norm_eps));
    const AddedNorm h = add_rms_norm(x_BTD, attended, ffn_norm_D_, config_.norm_eps);
    const at::Tensor neurons_BTF = swiglu(at::linear(h.normed, ffn_gate_), at::linear(h.normed, ffn_up_));
    if (pass.count_zeros) count_zeros(neurons_BTF);
    return h.sum + at::linear(neurons_BTF, ffn_down_);
  }

 private:
  at::Tensor attention(const Pass& pass, const at::Tensor& x_BTD) const {
    const int64_t B = x_BTD.size(0), T = x_BTD.size(1), G = config_.n_kv_heads, Q = config_.value_width;
    const int64_t shared = config_.n_heads / G;
    const auto heads = [&](const at::Tensor& weight, int64_t n) {
      return at::linear(x_BTD, weight).view({B, T, n, Q});
    };
    const auto for_all_queries = [&](const at::Tensor& x_BGTQ) {
      return x_BGTQ.unsqueeze(2).expand({B, G, shared, T, Q}).reshape({B, G * shared, T, Q});
    };
    const at::Tensor queries = rotate_heads(heads(q_proj_, config_.n_heads), 0, pass.rotation);
    const at::Tensor keys = for_all_queries(rotate_heads(heads(k_proj_, G), 0, pass.rotation));
    const at::Tensor values = for_all_queries(heads(v_proj_, G).transpose(1, 2));
    return at::linear(attend(pass, queries, keys, values, Q), out_proj_);
  }

  const ModelConfig config_;
  at::Tensor attention_norm_D_, q_proj_, k_proj_, v_proj_, out_proj_, ffn_norm_D_, ffn_gate_, ffn_up_,
      ffn_down_;
};

}  // namespace

void Block::count_zeros(const at::Tensor& neurons) {
  const at::NoGradGuard no_graph;
  if (!zeros_.defined()) zeros_ = at::zeros({}, neurons.options().dtype(at::kDouble));
  zeros_.add_(neurons.eq(0).sum());
  seen_ += static_cast<double>(neurons.numel());
}

double Block::take_zero_rate() {
  if (seen_ == 0) return 0;
  const double rate = zeros_.item<double>() / seen_;
  zeros_.zero_();
  seen_ = 0;
  return rate;
}

std::unique_ptr<Block> make_block(const ModelConfig& config, const LeafMaker& leaf) {
  if (config.architecture == Architecture::llama) return std::make_unique<LlamaBlock>(config, leaf);
  return std::make_unique<PlmBlock>(config, leaf);
}

at::Tensor attend(const Pass& pass, const at::Tensor& queries, const at::Tensor& keys,
                  const at::Tensor& values, int64_t value_width) {
  const auto mask = pass.mask_B1TT.defined() ? std::optional<at::Tensor>(pass.mask_B1TT) : std::nullopt;
  const double scale = 1.0 / std::sqrt(static_cast<double>(queries.size(3)));
  const at::Tensor o_BHTV = at::scaled_dot_product_attention(queries, keys, values, mask, 0.0,
                                                             /*is_causal=*/!mask.has_value(), scale);
  return o_BHTV.transpose(1, 2).narrow(-1, 0, value_width).flatten(2, 3);
}

}  // namespace plm::train
