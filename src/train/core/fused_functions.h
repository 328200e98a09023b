// functions.h on a CPU, by the loops of fused_cpu.h. Internal: arguments are what fits() accepts.
#pragma once

#include "train/core/functions.h"

namespace plm::train::fused {

// Whether the loops can read this tensor: on a CPU, float32 or bfloat16.
bool fits(const at::Tensor& x);

at::Tensor squared_relu(const at::Tensor& u, double penalty);
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
AddedNorm add_rms_norm(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight, double eps);
at::Tensor rotate_heads(const at::Tensor& x_BTHQ, int64_t plain, const Rotation& rotation);
LatentParts split_latent(const at::Tensor& kv_BTE, const at::Tensor& norm_C, double eps,
                         const Rotation& rotation);
KeysValues join_keys_values(const at::Tensor& kv_BTHX, const at::Tensor& rope_BTR, int64_t value_width,
                            int64_t padded);

// Logits [n, W] of one chunk to their gradients times `scale`, in place; returns the sum of the losses.
// Labels int64 [n], -100 or below W.
double softmax_losses(at::Tensor& logits, const at::Tensor& labels, double scale);

void add_to(at::Tensor& sum, const at::Tensor& x);

}  // namespace plm::train::fused
