// functions.h by the passes of passes.h, with their gradients. Internal: arguments are those that
// passes_for() has passes for.
#pragma once

#include "train/core/functions.h"

namespace plm::train::fused {

at::Tensor squared_relu(const at::Tensor& u, double penalty);
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
AddedNorm add_rms_norm(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight, double eps);
at::Tensor rotate_heads(const at::Tensor& x_BTHQ, int64_t plain, const Rotation& rotation);
LatentParts split_latent(const at::Tensor& kv_BTE, const at::Tensor& norm_C, double eps,
                         const Rotation& rotation);
KeysValues join_keys_values(const at::Tensor& kv_BTHX, const at::Tensor& rope_BTR, int64_t value_width,
                            int64_t padded);

}  // namespace plm::train::fused
