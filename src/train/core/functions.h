// The differentiable functions that ATen lacks or has in a slower or larger form. Where the device has passes
// for them (passes.h) they are one pass over memory each; elsewhere, compositions of ATen operations that
// give the same numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "train/core/fused_cpu.h"

namespace plm::train {

// relu(u)^2. `penalty` is the derivative of a regulariser penalty * sum(relu(u)), which is added to the
// gradient of u: it pushes live neurons towards zero. Its value is not part of any loss that is shown.
at::Tensor squared_relu(const at::Tensor& u, double penalty);

// silu(gate) * up.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

// x * w / sqrt(mean(x^2) + eps) over the last axis, the mean in float32.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

// x + added, and the norm of that.
struct AddedNorm {
  at::Tensor sum, normed;
};
AddedNorm add_rms_norm(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight, double eps);

// Angles of the positions of one row; [T, R/2] float32.
struct Rotation {
  at::Tensor cosine, sine;
  fused::Pairs pairs = fused::Pairs::neighbours;
};

// Copies the first `plain` numbers of each head and rotates the rest. The rotated part has all first members,
// then all second ones: queries and keys permuted alike give the same scores. [B, T, H, Q] to [B, H, T, Q].
at::Tensor rotate_heads(const at::Tensor& x_BTHQ, int64_t plain, const Rotation& rotation);

// A cache row into its two parts: the normed latent [B, T, C] and the rotated key part [B, T, R].
struct LatentParts {
  at::Tensor latent_BTC, rope_BTR;
};
LatentParts split_latent(const at::Tensor& kv_BTE, const at::Tensor& norm_C, double eps,
                         const Rotation& rotation);

// Keys and values of all heads, from the product of the latent with kv_up and the key part that all heads
// share. Values are padded with zeros to `padded`, which is at least `value_width`.
struct KeysValues {
  at::Tensor keys_BHTQ, values_BHTV;
};
KeysValues join_keys_values(const at::Tensor& kv_BTHX, const at::Tensor& rope_BTR, int64_t value_width,
                            int64_t padded);

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

// sum += x, of the same shape; sum float32.
void add_to(at::Tensor& sum, const at::Tensor& x);

// The compositions by themselves, for tests to compare with.
namespace composed {
at::Tensor squared_relu(const at::Tensor& u, double penalty);
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor rotate_heads(const at::Tensor& x_BTHQ, int64_t plain, const Rotation& rotation);
LatentParts split_latent(const at::Tensor& kv_BTE, const at::Tensor& norm_C, double eps,
                         const Rotation& rotation);
KeysValues join_keys_values(const at::Tensor& kv_BTHX, const at::Tensor& rope_BTR, int64_t value_width,
                            int64_t padded);
}  // namespace composed

}  // namespace plm::train
