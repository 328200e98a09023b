// One layer of the model that is trained: [B, T, D] to [B, T, D], differentiable.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

#include "train/core/functions.h"
#include "train/setup/model_config.h"

namespace plm::train {

// What is the same in every layer of one pass.
struct Pass {
  Rotation rotation;     // of T positions
  at::Tensor mask_B1TT;  // undefined: causal
  double sparsity_penalty = 0;
  bool count_zeros = false;
};

class Block {
 public:
  virtual ~Block() = default;
  virtual at::Tensor forward(const Pass& pass, const at::Tensor& x_BTD) = 0;

  // The share of exact zeros among the neurons of the passes that counted since the last call.
  double take_zero_rate();

 protected:
  void count_zeros(const at::Tensor& neurons);

 private:
  at::Tensor zeros_;  // float64
  double seen_ = 0;
};

// The weight "self_attn.q_proj.weight" and so on of this layer, as a leaf.
using LeafMaker = std::function<at::Tensor(const std::string& name)>;

std::unique_ptr<Block> make_block(const ModelConfig& config, const LeafMaker& leaf);

// Causal attention (or by the mask) of queries and keys [B, H, T, Q] and values [B, H, T, V]: [B, T, H * V].
at::Tensor attend(const Pass& pass, const at::Tensor& queries, const at::Tensor& keys,
                  const at::Tensor& values, int64_t value_width);

}  // namespace plm::train
