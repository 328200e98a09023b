// The model that is trained, as ATen operations with gradients: PLM, the forward pass of src/model/plm, or a
// llama, which PLM is compared with (block.h).
//
// All weights lie in one flat float32 buffer (setup/parameter_layout.h), the masters; gradients lie in
// another of the same layout, always float32, and are added to by every backward pass. With bf16 the pass
// itself runs on bfloat16 copies of the masters. Functions here let torch's exceptions out: they are our own
// mistakes or the device's memory, and the program's outermost function turns them into one line.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "train/core/block.h"
#include "train/setup/model_config.h"
#include "train/setup/parameter_layout.h"

namespace plm::train {

struct ModelOptions {
  at::Device device = at::kCPU;
  at::ScalarType compute = at::kFloat;  // or at::kBFloat16
};

// Rows of a batch on the model's device; int64 [B, T].
struct ModelInput {
  at::Tensor ids_BT;
  at::Tensor labels_BT;     // -100: this position has no loss
  at::Tensor documents_BT;  // undefined: one document a row; else attention stays within equal numbers
};

struct PassOptions {
  double loss_scale = 1;        // of the gradients: one over the labels of the whole step, over all workers
  double sparsity_penalty = 0;  // functions.h, squared_relu
  bool checkpoint = false;      // keep one vector a layer and compute the inside again
  bool count_zeros = false;     // fills zero_rates()
  // Called during the backward pass as soon as the gradients of a bucket are complete.
  std::function<void(int bucket)> bucket_ready = {};
};

class Model {
 public:
  Model(const ModelConfig& config, ParameterLayout layout, const ModelOptions& options);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelConfig& config() const { return config_; }
  const ParameterLayout& layout() const { return layout_; }
  at::Tensor& masters() { return masters_; }      // float32 [layout().count]
  at::Tensor& gradients() { return gradients_; }  // float32 [layout().count]
  // A window of a flat buffer in the shape of the parameter.
  static at::Tensor view(const at::Tensor& flat, const Parameter& parameter);

  // Draws the weights: normal with the configuration's range, the matrices that write into the residual
  // stream narrower by sqrt(2 layers), norms one. A function of (seed, name) alone. Ends with refresh().
  void draw_weights(uint64_t seed);
  // To be called after the masters changed: makes the copies the pass reads.
  void refresh();

  // Adds the gradients of loss_scale * (sum of the losses) to gradients(); returns the sum of the losses.
  double forward_backward(const ModelInput& input, const PassOptions& options);
  // The sum of the losses only. Touches no gradient.
  double loss_sum(const ModelInput& input);
  // float32 [B, T, W], without gradients.
  at::Tensor logits(const at::Tensor& ids_BT);

  // The share of exact zeros among the neurons of each layer in the passes that counted; counting
  // starts anew after this.
  std::vector<double> take_zero_rates();

 private:
  class GradientSink;

  using Layer = std::function<at::Tensor(const at::Tensor&)>;

  // The residual stream after the last norm, [B, T, D]. `kept` gets what must outlive the backward pass.
  at::Tensor hidden(const ModelInput& input, const PassOptions& options, std::vector<Layer>& kept);
  void bind_weights();
  at::Tensor leaf(const std::string& name);
  void gradient_arrived(int bucket);

  ModelConfig config_;
  ParameterLayout layout_;
  ModelOptions options_;
  at::Tensor masters_, gradients_,
      weights_;               // weights_: what the pass reads; the masters when those are float32
  at::Tensor cosine_, sine_;  // [context, R/2] float32
  std::vector<std::unique_ptr<Block>> layers_;
  at::Tensor embedding_, head_, final_norm_;  // embedding and head are two leaves of the same numbers
  std::vector<int> leaves_of_bucket_, leaves_missing_;
  std::function<void(int)> bucket_ready_;
};

}  // namespace plm::train
