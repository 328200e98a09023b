// One PLM layer, run by all threads of the gang together.
#pragma once

#include "model/plm/plm_weights.h"
#include "model/plm/workspace.h"
#include "model/step.h"
#include "model/team.h"

namespace plm::model {

struct BlockContext {
  const Config& config;
  const Step& step;
  Workspace& work;
  const Team& team;
  int64_t layer = 0;

  ThreadWorkspace& mine() const { return work.threads[static_cast<size_t>(team.thread)]; }
  int64_t n_tokens() const { return static_cast<int64_t>(step.tokens.size()); }
  // What a squared ReLU of this layer must be above.
  float live_above() const {
    return step.live_above.empty() ? 0.0f : step.live_above[static_cast<size_t>(layer)];
  }

  // Shows numbers to the step's trace. All threads call it; what is shown must be complete.
  void trace(std::string_view name, const float* data, int64_t columns, int64_t row_stride) const {
    if (step.trace != nullptr && team.is_first())
      (*step.trace)(name, layer, data, n_tokens(), columns, row_stride);
  }
};

// x_TD += attention, then += feed-forward. Ends with a barrier. Counts the live neurons of the layer
// into mine().n_live.
void run_block(const BlockContext& context, const PlmLayer& layer);

// Attention between the projections: reads q_TP and kv_TE, appends to the caches (without advancing
// them), fills o_TO. Begins after a barrier and ends with one. In attention.cpp.
void attend(const BlockContext& context, const PlmLayer& layer);

// x_TD += W_down a_TF, for the neurons counted in n_live of all threads (with a barrier behind); is_rounded:
// a_TF is in work.hidden already. In down_projection.cpp.
void down_projection(const BlockContext& context, const PlmLayer& layer, bool is_rounded);

// This thread's share of turning a down projection into 16 interleaved rows at `out` (64-byte aligned, packed
// bytes of the same matrix).
void turn_down_projection(const Team& team, const kernels::NeuronMajorMatrix& neurons, std::byte* out);

// RMS(x_TD) for all tokens, rounded for products: each thread has its own when tokens are few, else
// they share one (with a barrier inside).
const kernels::Activations& normed_input(const BlockContext& context, const std::vector<float>& norm_D,
                                         const float* x_TD);

// The same for numbers that are there already.
const kernels::Activations& plain_input(const BlockContext& context, const float* values_TK, int64_t width);

}  // namespace plm::model
