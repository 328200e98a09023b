#include "train/core/model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "train/core/draw.h"
#include "train/core/functions.h"

namespace plm::train {
namespace {

// Rows whose logits exist at the same time: enough to fill the device.
int64_t loss_chunk(at::Device device) { return device.is_cuda() ? 4096 : 1024; }

}  // namespace

// Moves a finished gradient of a leaf into the flat float32 buffer and lets go of it.
class Model::GradientSink : public torch::autograd::PostAccumulateGradHook {
 public:
  GradientSink(Model& model, at::Tensor slot, int bucket)
      : model_(model), slot_(std::move(slot)), bucket_(bucket) {}
  void operator()(const at::Tensor& leaf) override {
    const at::NoGradGuard no_graph;
    add_to(slot_, leaf.grad());
    leaf.mutable_grad() = at::Tensor();
    model_.gradient_arrived(bucket_);
  }

 private:
  Model& model_;
  at::Tensor slot_;
  int bucket_;
};

Model::Model(const ModelConfig& config, ParameterLayout layout, const ModelOptions& options)
    : config_(config), layout_(std::move(layout)), options_(options) {
  const auto numbers = at::TensorOptions().dtype(at::kFloat).device(options.device);
  masters_ = at::zeros({layout_.count}, numbers);
  gradients_ = at::zeros({layout_.count}, numbers);
  weights_ =
      options.compute == at::kFloat ? masters_ : at::zeros({layout_.count}, numbers.dtype(options.compute));
  const at::Tensor pair = at::arange(config.rope_width / 2, at::kDouble);
  const at::Tensor frequency =
      at::pow(config.rope_theta, pair.mul(-2.0 / static_cast<double>(config.rope_width)));
  const at::Tensor angle = at::outer(at::arange(config.context_length, at::kDouble), frequency);
  cosine_ = angle.cos().to(numbers);
  sine_ = angle.sin().to(numbers);
  leaves_of_bucket_.assign(layout_.buckets.size(), 0);
  bind_weights();
}

Model::~Model() = default;

at::Tensor Model::view(const at::Tensor& flat, const Parameter& parameter) {
  return flat.narrow(0, parameter.offset, parameter.count).view(parameter.shape);
}

at::Tensor Model::leaf(const std::string& name) {
  const Parameter& parameter = layout_.find(name);
  at::Tensor leaf = view(weights_, parameter).detach().requires_grad_();
  torch::autograd::impl::set_post_acc_grad_hooks(
      leaf, std::make_unique<GradientSink>(*this, view(gradients_, parameter), parameter.bucket));
  ++leaves_of_bucket_[static_cast<size_t>(parameter.bucket)];
  return leaf;
}

void Model::bind_weights() {
  embedding_ = leaf("model.embed_tokens.weight");
  head_ = leaf("model.embed_tokens.weight");
  final_norm_ = leaf("model.norm.weight");
  for (int64_t i = 0; i < config_.n_layers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    layers_.push_back(make_block(config_, [&](const std::string& name) { return leaf(layer + name); }));
  }
}

void Model::draw_weights(uint64_t seed) {
  const double narrow = 1.0 / std::sqrt(2.0 * static_cast<double>(config_.n_layers));
  for (const Parameter& parameter : layout_.parameters) {
    at::Tensor target = view(masters_, parameter);
    if (parameter.shape.size() == 1) {
      target.fill_(1);
      continue;
    }
    const bool writes_residual =
        parameter.name.ends_with("o_proj.weight") || parameter.name.ends_with("down_proj.weight");
    target.copy_(draw_normal(seed, parameter.name, parameter.shape,
                             config_.initializer_range * (writes_residual ? narrow : 1.0)));
  }
  refresh();
}

void Model::refresh() {
  if (weights_.is_same(masters_)) return;
  const at::NoGradGuard no_graph;
  weights_.copy_(masters_);
}

at::Tensor Model::hidden(const ModelInput& input, const PassOptions& options, std::vector<Layer>& kept) {
  const int64_t T = input.ids_BT.size(1);
  Pass pass{.rotation = {.cosine = cosine_.narrow(0, 0, T),
                         .sine = sine_.narrow(0, 0, T),
                         .pairs = config_.architecture == Architecture::plm ? fused::Pairs::neighbours
                                                                            : fused::Pairs::halves},
            .mask_B1TT = {},
            .sparsity_penalty = options.sparsity_penalty,
            .count_zeros = options.count_zeros};
  if (input.documents_BT.defined()) {
    const at::Tensor same = input.documents_BT.unsqueeze(2).eq(input.documents_BT.unsqueeze(1));
    pass.mask_B1TT = same.tril().unsqueeze(1);
  }
  at::Tensor x_BTD = at::embedding(embedding_, input.ids_BT);
  for (const auto& layer : layers_) {
    if (options.checkpoint) {
      kept.emplace_back([&layer, pass](const at::Tensor& x) { return layer->forward(pass, x); });
    } else {
      x_BTD = layer->forward(pass, x_BTD);
    }
  }
  for (const Layer& again : kept) x_BTD = checkpointed(again, x_BTD);
  return rms_norm(x_BTD, final_norm_, config_.norm_eps);
}

double Model::forward_backward(const ModelInput& input, const PassOptions& options) {
  leaves_missing_ = leaves_of_bucket_;
  bucket_ready_ = options.bucket_ready;
  std::vector<Layer> kept;  // must live until the backward pass is over
  const at::Tensor hidden_TD = hidden(input, options, kept).flatten(0, 1);
  at::Tensor sum = at::zeros({}, hidden_TD.options().dtype(at::kDouble));
  const at::Tensor loss =
      linear_cross_entropy(hidden_TD, head_, input.labels_BT.flatten(),
                           {.scale = options.loss_scale, .chunk = loss_chunk(options_.device)}, sum);
  torch::autograd::backward({loss});
  return sum.item<double>();
}

double Model::loss_sum(const ModelInput& input) {
  const at::NoGradGuard no_graph;
  std::vector<Layer> none;
  const at::Tensor hidden_TD = hidden(input, {}, none).flatten(0, 1);
  const at::Tensor labels_T = input.labels_BT.flatten();
  const int64_t chunk = loss_chunk(options_.device);
  double sum = 0;
  for (int64_t row = 0; row < hidden_TD.size(0); row += chunk) {
    const int64_t n = std::min(chunk, hidden_TD.size(0) - row);
    const at::Tensor logits = at::mm(hidden_TD.narrow(0, row, n), head_.t()).to(at::kFloat);
    const at::Tensor loss =
        at::cross_entropy_loss(logits, labels_T.narrow(0, row, n), {}, at::Reduction::None);
    sum += loss.sum(at::kDouble).item<double>();  // ignored labels, -100, give zero
  }
  return sum;
}

at::Tensor Model::logits(const at::Tensor& ids_BT) {
  const at::NoGradGuard no_graph;
  std::vector<Layer> none;
  return at::linear(hidden({.ids_BT = ids_BT, .labels_BT = {}, .documents_BT = {}}, {}, none), head_)
      .to(at::kFloat);
}

void Model::gradient_arrived(int bucket) {
  if (--leaves_missing_[static_cast<size_t>(bucket)] == 0 && bucket_ready_) bucket_ready_(bucket);
}

std::vector<double> Model::take_zero_rates() {
  std::vector<double> rates;
  for (const auto& layer : layers_) rates.push_back(layer->take_zero_rate());
  return rates;
}

}  // namespace plm::train
