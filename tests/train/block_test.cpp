// The llama that PLM is compared with, against its equations in float64 with autograd's gradients.
#include "train/core/block.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>
#include <string>

#include "train/core/model.h"
#include "train/tiny_model.h"

namespace plm::train {
namespace {

using test::relative_error;

ModelConfig llama_config() {
  ModelConfig c;
  c.architecture = Architecture::llama;
  c.vocabulary = 96;
  c.width = 32;
  c.n_layers = 2;
  c.n_heads = 4;
  c.n_kv_heads = 2;
  c.rope_width = c.value_width = 8;
  c.ffn_width = 48;
  c.context_length = 64;
  c.rope_theta = 10000;
  c.norm_eps = 1e-6;
  return c;
}

// Hugging Face's LlamaForCausalLM written down once more, in float64.
class Reference {
 public:
  Reference(const ModelConfig& config, const ParameterLayout& layout, const at::Tensor& masters)
      : c_(config) {
    for (const Parameter& parameter : layout.parameters) {
      weights_[parameter.name] =
          Model::view(masters, parameter).to(at::kDouble).detach().clone().requires_grad_();
    }
  }

  at::Tensor loss(const ModelInput& input) const {
    at::Tensor x = at::embedding(w("model.embed_tokens.weight"), input.ids_BT);
    for (int64_t i = 0; i < c_.n_layers; ++i) {
      const std::string layer = fmt::format("model.layers.{}.", i);
      x = x + attention(layer + "self_attn.", norm(x, layer + "input_layernorm.weight"));
      const at::Tensor h = norm(x, layer + "post_attention_layernorm.weight");
      const at::Tensor gate = at::linear(h, w(layer + "mlp.gate_proj.weight"));
      const at::Tensor up = at::linear(h, w(layer + "mlp.up_proj.weight"));
      x = x + at::linear(gate * at::sigmoid(gate) * up, w(layer + "mlp.down_proj.weight"));
    }
    const at::Tensor logits =
        at::linear(norm(x, "model.norm.weight"), w("model.embed_tokens.weight")).flatten(0, 1);
    return at::cross_entropy_loss(logits, input.labels_BT.flatten(), {}, at::Reduction::Sum);
  }

  const at::Tensor& w(const std::string& name) const { return weights_.at(name); }

 private:
  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    return x * at::rsqrt(x.pow(2).mean(-1, true) + c_.norm_eps) * w(name);
  }

  at::Tensor rotate(const at::Tensor& x_BTHQ) const {
    const int64_t T = x_BTHQ.size(1), half = c_.rope_width / 2;
    const at::Tensor power = at::arange(half, at::kDouble) * (-2.0 / static_cast<double>(c_.rope_width));
    const at::Tensor angle = at::outer(at::arange(T, at::kDouble), at::pow(c_.rope_theta, power));
    const at::Tensor both = at::cat({angle, angle}, 1).unsqueeze(1);
    const at::Tensor turned = at::cat({-x_BTHQ.narrow(-1, half, half), x_BTHQ.narrow(-1, 0, half)}, -1);
    return x_BTHQ * both.cos() + turned * both.sin();
  }

  at::Tensor attention(const std::string& name, const at::Tensor& x) const {
    const int64_t B = x.size(0), T = x.size(1), Q = c_.value_width, shared = c_.n_heads / c_.n_kv_heads;
    const auto heads = [&](const char* weight, int64_t n) {
      return at::linear(x, w(name + weight)).view({B, T, n, Q});
    };
    const at::Tensor q = rotate(heads("q_proj.weight", c_.n_heads)).transpose(1, 2);
    const at::Tensor k =
        rotate(heads("k_proj.weight", c_.n_kv_heads)).transpose(1, 2).repeat_interleave(shared, 1);
    const at::Tensor v = heads("v_proj.weight", c_.n_kv_heads).transpose(1, 2).repeat_interleave(shared, 1);
    const at::Tensor scores = at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(Q));
    const at::Tensor later = at::ones({T, T}, at::kBool).triu(1);
    const at::Tensor attended = at::matmul(at::softmax(scores.masked_fill(later, -INFINITY), -1), v);
    return at::linear(attended.transpose(1, 2).reshape({B, T, -1}), w(name + "o_proj.weight"));
  }

  ModelConfig c_;
  std::map<std::string, at::Tensor> weights_;
};

TEST(TrainLlama, LossAndEveryGradientAreThoseOfItsEquations) {
  const ModelConfig config = llama_config();
  Model model(config, make_layout(config, 1), {});
  model.draw_weights(5);
  // Attention and gates are far from linear; at 8 a third of all texts are more than float32 can follow.
  model.masters().mul_(5);
  model.refresh();
  const at::Tensor ids = at::randint(config.vocabulary, {3, 18}, at::kLong);
  const ModelInput input = test::next_token_input(ids);
  const Reference reference(config, model.layout(), model.masters());
  const at::Tensor expected = reference.loss(input);
  torch::autograd::backward({expected});

  for (const bool checkpoint : {false, true}) {
    model.gradients().zero_();
    const double loss = model.forward_backward(input, {.checkpoint = checkpoint});
    EXPECT_NEAR(loss / expected.item<double>(), 1, 1e-5);
    for (const Parameter& parameter : model.layout().parameters) {
      EXPECT_LT(relative_error(Model::view(model.gradients(), parameter), reference.w(parameter.name).grad()),
                1e-4)
          << parameter.name;
    }
  }
}

TEST(TrainLlama, ParametersAndCacheAreCounted) {
  const ModelConfig config = llama_config();
  const ParameterLayout layout = make_layout(config, 1);
  int64_t count = 0;
  for (const Parameter& parameter : layout.parameters) count += parameter.count;
  EXPECT_EQ(config.n_parameters(), count);
  EXPECT_EQ(config.cache_numbers_per_token(), 2 * 2 * 2 * 8);
}

TEST(TrainLlama, ItsConfigurationIsRead) {
  const std::string text =
      R"({"model_type": "llama", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64,
    "hidden_act": "silu", "tie_word_embeddings": true})";
  const auto config = parse_model_config(text, "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->value_width, 8);
  EXPECT_EQ(config->n_kv_heads, 2);
  EXPECT_EQ(config->rope_theta, 10000);
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    const auto result = parse_model_config(changed, "config.json");
    return result.ok() ? std::string("read") : result.error().message;
  };
  EXPECT_NE(refused("true", "false").find("tie_word_embeddings: found false"), std::string::npos);
  EXPECT_NE(refused("heads\": 2", "heads\": 3").find("expected a divisor of 4"), std::string::npos);
  EXPECT_NE(refused("\"hidden_size\": 32", "\"hidden_size\": 3").find("head_dim: found 0"),
            std::string::npos);
  EXPECT_NE(refused("silu", "gelu").find("hidden_act"), std::string::npos);
  EXPECT_NE(refused("\"llama\"", "\"gemma\"").find("expected plm or llama"), std::string::npos);
}

}  // namespace
}  // namespace plm::train
