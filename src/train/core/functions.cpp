#include "train/core/functions.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "train/core/fused_functions.h"
#include "train/core/passes.h"
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

// Logits of one chunk to their gradients times `scale`; adds the losses to loss_sum.
at::Tensor softmax_gradient(const at::Tensor& narrow_logits, const at::Tensor& labels, double scale,
                            const at::Tensor& loss_sum) {
  const at::Tensor counted = labels.ne(kIgnoredLabel);
  const at::Tensor target = labels.clamp_min(0).unsqueeze(1);
  at::Tensor logits = narrow_logits.to(at::kFloat);
  const at::Tensor normaliser = logits.logsumexp(1, /*keepdim=*/true);
  const at::Tensor losses = (normaliser - logits.gather(1, target)).squeeze(1);
  loss_sum.add_(losses.masked_fill(counted.logical_not(), 0).sum(at::kDouble));
  // d loss / d logits = softmax - one at the label; nothing for rows that do not count.
  const at::Tensor weight = counted.to(at::kFloat).mul_(scale).unsqueeze(1);
  at::Tensor gradient = logits.sub_(normaliser).exp_();
  gradient.scatter_add_(1, target, at::full_like(normaliser, -1)).mul_(weight);
  return gradient.to(narrow_logits.scalar_type());
}

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
      at::Tensor gradient = at::mm(hidden, head_WD.t());
      if (const fused::Passes* passes = fused::passes_for(gradient)) {
        loss_sum.add_(passes->softmax_losses(gradient, labels, scale));
      } else {
        gradient = softmax_gradient(gradient, labels, scale, loss_sum);
      }
      at::Tensor place = hidden_gradient.narrow(0, row, n);
      at::mm_out(place, gradient, head_WD);
      add_to(head_gradient, at::mm(gradient.t(), hidden));
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

bool has_passes(const at::Tensor& x) { return fused::passes_for(x) != nullptr; }

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

namespace composed {

at::Tensor squared_relu(const at::Tensor& u, double penalty) { return SquaredRelu::apply(u, penalty); }

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate) * up; }

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return at::rms_norm(x, {x.size(-1)}, weight, eps);
}

at::Tensor rotate_heads(const at::Tensor& x_BTHQ, int64_t plain, const Rotation& rotation) {
  const int64_t half = (x_BTHQ.size(-1) - plain) / 2;
  const at::Tensor rotated = x_BTHQ.narrow(-1, plain, 2 * half);
  const bool neighbours = rotation.pairs == fused::Pairs::neighbours;
  const at::Tensor pairs = neighbours ? rotated.unflatten(-1, at::IntArrayRef({half, 2}))
                                      : rotated.unflatten(-1, at::IntArrayRef({2, half})).transpose(-1, -2);
  const at::Tensor first = pairs.select(-1, 0);
  const at::Tensor second = pairs.select(-1, 1);
  const at::Tensor c = rotation.cosine.unsqueeze(1).to(x_BTHQ.scalar_type());  // [T, 1, R/2]: for every head
  const at::Tensor s = rotation.sine.unsqueeze(1).to(x_BTHQ.scalar_type());
  return at::cat({x_BTHQ.narrow(-1, 0, plain), first * c - second * s, first * s + second * c}, -1)
      .transpose(1, 2);
}

LatentParts split_latent(const at::Tensor& kv_BTE, const at::Tensor& norm_C, double eps,
                         const Rotation& rotation) {
  const int64_t C = norm_C.size(0);
  const at::Tensor rope_BT1R = kv_BTE.narrow(-1, C, kv_BTE.size(-1) - C).unsqueeze(2);
  return {.latent_BTC = composed::rms_norm(kv_BTE.narrow(-1, 0, C), norm_C, eps),
          .rope_BTR = composed::rotate_heads(rope_BT1R, 0, rotation).squeeze(1)};
}

KeysValues join_keys_values(const at::Tensor& kv_BTHX, const at::Tensor& rope_BTR, int64_t value_width,
                            int64_t padded) {
  const int64_t B = kv_BTHX.size(0), T = kv_BTHX.size(1), H = kv_BTHX.size(2);
  const int64_t N = kv_BTHX.size(3) - value_width;
  const at::Tensor shared = rope_BTR.unsqueeze(2).expand({B, T, H, rope_BTR.size(2)});
  const at::Tensor values = kv_BTHX.narrow(-1, N, value_width);
  return {.keys_BHTQ = at::cat({kv_BTHX.narrow(-1, 0, N), shared}, -1).transpose(1, 2),
          .values_BHTV = at::constant_pad_nd(values, {0, padded - value_width}).transpose(1, 2)};
}

}  // namespace composed

at::Tensor squared_relu(const at::Tensor& u, double penalty) {
  return has_passes(u) ? fused::squared_relu(u, penalty) : composed::squared_relu(u, penalty);
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  return has_passes(up) ? fused::swiglu(gate, up) : composed::swiglu(gate, up);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return has_passes(x) ? fused::rms_norm(x, weight, eps) : composed::rms_norm(x, weight, eps);
}

AddedNorm add_rms_norm(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight, double eps) {
  if (has_passes(x)) return fused::add_rms_norm(x, added, weight, eps);
  const at::Tensor sum = x + added;
  return {.sum = sum, .normed = composed::rms_norm(sum, weight, eps)};
}

at::Tensor rotate_heads(const at::Tensor& x_BTHQ, int64_t plain, const Rotation& rotation) {
  return has_passes(x_BTHQ) ? fused::rotate_heads(x_BTHQ, plain, rotation)
                            : composed::rotate_heads(x_BTHQ, plain, rotation);
}

LatentParts split_latent(const at::Tensor& kv_BTE, const at::Tensor& norm_C, double eps,
                         const Rotation& rotation) {
  return has_passes(kv_BTE) ? fused::split_latent(kv_BTE, norm_C, eps, rotation)
                            : composed::split_latent(kv_BTE, norm_C, eps, rotation);
}

KeysValues join_keys_values(const at::Tensor& kv_BTHX, const at::Tensor& rope_BTR, int64_t value_width,
                            int64_t padded) {
  return has_passes(kv_BTHX) ? fused::join_keys_values(kv_BTHX, rope_BTR, value_width, padded)
                             : composed::join_keys_values(kv_BTHX, rope_BTR, value_width, padded);
}

void add_to(at::Tensor& sum, const at::Tensor& x) {
  const fused::Passes* passes = fused::passes_for(x);
  if (passes != nullptr && x.is_contiguous() && sum.is_contiguous()) {
    passes->add_to(sum, x);
  } else {
    sum.add_(x);
  }
}

at::Tensor linear_cross_entropy(const at::Tensor& hidden_TD, const at::Tensor& head_WD,
                                const at::Tensor& labels_T, const LossOptions& options,
                                at::Tensor& loss_sum) {
  return LinearCrossEntropy::apply(hidden_TD, head_WD, labels_T, options.scale, options.chunk, loss_sum);
}

at::Tensor checkpointed(const Block& block, const at::Tensor& x) { return Checkpointed::apply(x, &block); }

}  // namespace plm::train
