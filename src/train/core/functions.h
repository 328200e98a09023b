// The differentiable functions that ATen lacks or has in a slower or larger form.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace plm::train {

// relu(u)^2. `penalty` is the derivative of a regulariser penalty * sum(relu(u)), which is added to the
// gradient of u: it pushes live neurons towards zero. Its value is not part of any loss that is shown.
at::Tensor squared_relu(const at::Tensor& u, double penalty);

// x * w / sqrt(mean(x^2) + eps) over the last axis, the mean in float32.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

// Rotates the pairs (2i, 2i+1) of the last axis; x_BTHR any strides, cosine and sine [T, R/2] float32. The
// result has all first members, then all second ones: queries and keys permuted alike give the same scores.
at::Tensor rotate_pairs(const at::Tensor& x_BTHR, const at::Tensor& cosine, const at::Tensor& sine);

// The sum over rows of cross-entropy(hidden_TD * head_WD', label), times `scale`; rows of label -100 are left
// out. Logits exist for `chunk` rows at a time: the gradients are made in the forward pass. `loss_sum`
// (float64, one number) is increased by the unscaled sum.
struct LossOptions {
  double scale = 1;
  int64_t chunk = 1024;
};
at::Tensor linear_cross_entropy(const at::Tensor& hidden_TD, const at::Tensor& head_WD,
                                const at::Tensor& labels_T, const LossOptions& options, at::Tensor& loss_sum);

// block(x), of which only x is kept: the backward pass computes the inside again. The block must be a pure
// function of x and of leaves; it must outlive the backward pass.
at::Tensor checkpointed(const std::function<at::Tensor(const at::Tensor&)>& block, const at::Tensor& x);

}  // namespace plm::train
