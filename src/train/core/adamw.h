// AdamW over the flat buffers (Loshchilov and Hutter 2019), in the order of torch.optim.AdamW: decay,
// moments, bias correction, step. Each worker may own a part of the moments (ZeRO-1): then it updates that
// part of the masters only.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "train/setup/parameter_layout.h"

namespace plm::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // not of norms
};

// A stretch of the flat buffers, in numbers.
struct Span {
  int64_t offset = 0;
  int64_t count = 0;
};

class AdamW {
 public:
  // `owned`: the stretches this instance updates, ascending, without overlap.
  AdamW(const ParameterLayout& layout, const AdamWOptions& options, const std::vector<Span>& owned,
        at::Device device);

  // One step with gradients times `gradient_factor` (clipping). Buffers in the layout's shape, float32.
  void step(at::Tensor& masters, const at::Tensor& gradients, double learning_rate, double gradient_factor);

  int64_t n_steps() const { return n_steps_; }
  void set_n_steps(int64_t n);

  // The moments of the owned stretches in or out of buffers of the layout's size; the rest stays untouched.
  void export_moments(at::Tensor& first, at::Tensor& second) const;
  void import_moments(const at::Tensor& first, const at::Tensor& second);

 private:
  struct Piece {
    Span span;
    bool decays = false;
    at::Tensor first, second, step;  // step: float32, one number
  };
  AdamWOptions options_;
  std::vector<Piece> pieces_;
  int64_t n_steps_ = 0;
};

}  // namespace plm::train
