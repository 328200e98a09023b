// What functions.h computes in one pass over memory, forward and backward, for the devices that have such
// passes: CPUs (fused_cpu.h), and GPUs of NVIDIA where the build found their compiler (fused_cuda.h).
// Numbers are float32 or bfloat16, arithmetic is float32, rounded once. Internal to core; gradients of
// what is read are the business of fused_functions.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include "train/core/functions.h"

namespace plm::train::fused {

// The normed rows of x, or of x + added; `scales` gets a float for each row, 1 / sqrt(mean of squares + eps).
struct Normed {
  at::Tensor sum, normed, scales;  // sum: undefined without `added`
};
struct NormGradients {
  at::Tensor x, w;
};
// A cache row's two parts and what the backward pass needs.
struct SplitLatentParts {
  at::Tensor latent_BTC, rope_BTR, scales;
};
struct SplitLatentGradients {
  at::Tensor kv_BTE, w;
};
struct JoinGradients {
  at::Tensor kv_BTHX, rope_BTR;
};

// Tensors are contiguous unless a stride is spoken of, and all on the device that the passes are for.
class Passes {
 public:
  virtual ~Passes() = default;

  virtual Normed normalise(const at::Tensor& x, const at::Tensor& added, const at::Tensor& w,
                           double eps) const = 0;
  // dsum, which may be undefined, is added to the gradient of x.
  virtual NormGradients normalise_backward(const at::Tensor& dy, const at::Tensor& dsum, const at::Tensor& x,
                                           const at::Tensor& w, const at::Tensor& scales) const = 0;

  virtual void square_live(at::Tensor& y, const at::Tensor& u) const = 0;
  virtual void square_live_backward(at::Tensor& du, const at::Tensor& dy, const at::Tensor& u,
                                    double penalty) const = 0;
  virtual void gate(at::Tensor& y, const at::Tensor& g, const at::Tensor& u) const = 0;
  virtual void gate_backward(at::Tensor& dg, at::Tensor& du, const at::Tensor& dy, const at::Tensor& g,
                             const at::Tensor& u) const = 0;

  // [B, T, H, Q] to [B, H, T, Q].
  virtual at::Tensor rotate_heads(const at::Tensor& x_BTHQ, int64_t plain,
                                  const Rotation& rotation) const = 0;
  // Back again; the last axis of dout is dense, the others have any stride.
  virtual at::Tensor rotate_heads_backward(const at::Tensor& dout_BHTQ, int64_t plain,
                                           const Rotation& rotation) const = 0;

  virtual SplitLatentParts split_latent(const at::Tensor& kv_BTE, const at::Tensor& w, double eps,
                                        const Rotation& rotation) const = 0;
  virtual SplitLatentGradients split_latent_backward(const at::Tensor& dlatent_BTC,
                                                     const at::Tensor& drope_BTR, const at::Tensor& kv_BTE,
                                                     const at::Tensor& w, const at::Tensor& scales,
                                                     const Rotation& rotation) const = 0;

  virtual KeysValues join_keys_values(const at::Tensor& kv_BTHX, const at::Tensor& rope_BTR,
                                      int64_t value_width, int64_t padded) const = 0;
  // The last axis of both is dense, the others have any stride. R: the width of the shared part.
  virtual JoinGradients join_keys_values_backward(const at::Tensor& dk_BHTQ, const at::Tensor& dv_BHTV,
                                                  int64_t value_width, int64_t R) const = 0;

  // Logits [n, W] to their gradients times `scale`, in place; returns the sum of the losses, float64 [].
  // Labels int64 [n]: -100, or below W; others make the CPU throw and a GPU's loss a NaN.
  virtual at::Tensor softmax_losses(at::Tensor& logits, const at::Tensor& labels, double scale) const = 0;

  // sum += x; sum float32.
  virtual void add_to(at::Tensor& sum, const at::Tensor& x) const = 0;
};

// The passes that can read this tensor; null where there are none.
const Passes* passes_for(const at::Tensor& x);

const Passes& cpu_passes();
// Present only in a build with PLM_TRAIN_CUDA.
const Passes& cuda_passes();

}  // namespace plm::train::fused
