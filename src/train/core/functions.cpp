#include "train/core/functions.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "train/data/batch_source.h"

namespace plm::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct SquaredRelu : torch::autograd::Function<SquaredRelu> {
  static Variable forward(AutogradContext* context, const Variable& u, double penalty) {
    const at::Tensor live = at::relu(u);
    context->save_for_backward({live});
    context->saved_data["penalty"] = penalty;
    return at::mul(live, live);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor live = context->get_saved_variables()[0];
    const double penalty = context->saved_data["penalty"].toDouble();
    at::Tensor gradient = at::mul(gradients[0], live).mul_(2);
    if (penalty != 0) gradient.add_(live.sign(), penalty);
    return {gradient, Variable()};
  }
};

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static Variable forward(AutogradContext* context, const Variable& hidden_TD, const Variable& head_WD,
                          const at::Tensor& labels_T, double scale, int64_t chunk,
                          const at::Tensor& loss_sum) {
    const int64_t n_rows = hidden_TD.size(0);
    at::Tensor hidden_gradient = at::empty_like(hidden_TD);
    at::Tensor head_gradient = at::zeros(head_WD.sizes(), head_WD.options().dtype(at::kFloat));
    for (int64_t row = 0; row < n_rows; row += chunk) {
      const int64_t n = std::min(chunk, n_rows - row);
      const at::Tensor hidden = hidden_TD.narrow(0, row, n);
      const at::Tensor labels = labels_T.narrow(0, row, n);
      const at::Tensor counted = labels.ne(kIgnoredLabel);
      const at::Tensor target = labels.clamp_min(0).unsqueeze(1);
      at::Tensor logits = at::mm(hidden, head_WD.t()).to(at::kFloat);
      const at::Tensor normaliser = logits.logsumexp(1, /*keepdim=*/true);
      const at::Tensor losses = (normaliser - logits.gather(1, target)).squeeze(1);
      loss_sum.add_(losses.masked_fill(counted.logical_not(), 0).sum(at::kDouble));
      // d loss / d logits = softmax - one at the label; nothing for rows that do not count.
      const at::Tensor weight = counted.to(at::kFloat).mul_(scale).unsqueeze(1);
      at::Tensor gradient = logits.sub_(normaliser).exp_();
      gradient.scatter_add_(1, target, at::full_like(normaliser, -1)).mul_(weight);
      const at::Tensor narrow = gradient.to(hidden.scalar_type());
      hidden_gradient.narrow(0, row, n).copy_(at::mm(narrow, head_WD));
      head_gradient.add_(at::mm(narrow.t(), hidden));
    }
    context->save_for_backward({hidden_gradient, head_gradient.to(head_WD.scalar_type())});
    return (loss_sum * scale).to(at::kFloat);
  }
  // The loss is the root of every graph here, so the incoming gradient is one.
  static variable_list backward(AutogradContext* context, const variable_list& /*gradients*/) {
    const variable_list saved = context->get_saved_variables();
    return {saved[0], saved[1], Variable(), Variable(), Variable(), Variable()};
  }
};

using Block = std::function<at::Tensor(const at::Tensor&)>;

struct Checkpointed : torch::autograd::Function<Checkpointed> {
  static Variable forward(AutogradContext* context, const Variable& x, const Block* block) {
    context->save_for_backward({x});
    context->saved_data["block"] = reinterpret_cast<int64_t>(block);
    const at::NoGradGuard no_graph;
    return (*block)(x);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto* block = reinterpret_cast<const Block*>(context->saved_data["block"].toInt());
    const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_();
    {
      const at::AutoGradMode graph(true);
      const at::Tensor y = (*block)(x);
      torch::autograd::backward({y}, {gradients[0]});
    }
    return {x.grad(), Variable()};
  }
};

}  // namespace

at::Tensor squared_relu(const at::Tensor& u, double penalty) { return SquaredRelu::apply(u, penalty); }

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return at::rms_norm(x, {x.size(-1)}, weight, eps);
}

at::Tensor rotate_pairs(const at::Tensor& x_BTHR, const at::Tensor& cosine, const at::Tensor& sine) {
  const int64_t half = x_BTHR.size(-1) / 2;
  const at::Tensor pairs = x_BTHR.unflatten(-1, at::IntArrayRef({half, 2}));
  const at::Tensor first = pairs.select(-1, 0);
  const at::Tensor second = pairs.select(-1, 1);
  const at::Tensor c = cosine.unsqueeze(1).to(x_BTHR.scalar_type());  // [T, 1, R/2]: the same for every head
  const at::Tensor s = sine.unsqueeze(1).to(x_BTHR.scalar_type());
  return at::cat({first * c - second * s, first * s + second * c}, -1);
}

at::Tensor linear_cross_entropy(const at::Tensor& hidden_TD, const at::Tensor& head_WD,
                                const at::Tensor& labels_T, const LossOptions& options,
                                at::Tensor& loss_sum) {
  return LinearCrossEntropy::apply(hidden_TD, head_WD, labels_T, options.scale, options.chunk, loss_sum);
}

at::Tensor checkpointed(const Block& block, const at::Tensor& x) { return Checkpointed::apply(x, &block); }

}  // namespace plm::train
