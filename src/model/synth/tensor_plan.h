// How large the random weights of a synthetic model must be so that its activations are those of a
// sound model and its squared-ReLU outputs are zero at an asked rate, by analysis alone.
//
// The first kBiasChannels channels of the residual stream are the same for every token and never
// written by a layer (rows of attn_output and ffn_down are zero), so the columns of ffn_up that read
// them act as a bias. All other channels are Gaussian, and the plan tracks their variance v through the
// layers. A neuron's input is then normal with known mean and variance; with the threshold
//   t = sqrt(1 + k^2) * quantile(sparsity) + k * g,   g normal,
// deviations above its mean it is zero at the asked rate on average over g, k being the spread between
// hot and cold neurons. No weight is an outlier, so all block formats keep the rate.
//
// Models with a gated SiLU have no zeros to plan: no bias channels, all weights Gaussian.
//
// Outputs of attention and feed-forward add little to v in each layer. The output norm has random
// signs: the tied embedding would else give each token a huge logit for itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gguf/gguf_writer.h"
#include "model/synth/presets.h"

namespace plm::model {

inline constexpr int64_t kBiasChannels = 32;  // one block of the 32-element formats

struct TensorPlan {
  gguf::TensorDescription description;
  float mean = 0;
  float deviation = 0;
  bool random_signs = false;
  int64_t n_zero_rows = 0;  // in front
  // Value of the first kBiasChannels columns: none, one for all rows, or one for each row.
  std::vector<float> head;

  int64_t row_length() const { return description.shape[0]; }
  int64_t n_rows() const { return description.shape.size() > 1 ? description.shape[1] : 1; }
};

struct PlanOptions {
  double sparsity = 0.9;  // 0..1; beyond 0.001..0.999 the nearest of these
  double spread = 0.5;    // k above, in deviations
  uint64_t seed = 1;
};

// All tensors in the order of the file, types still F32.
std::vector<TensorPlan> plan_tensors(const SynthPreset& preset, const PlanOptions& options);

// Row `row` as the plan wants it; out has plan.row_length() numbers. Any thread, any order.
void fill_row(const TensorPlan& plan, uint64_t seed, int64_t row, float* out);

}  // namespace plm::model
