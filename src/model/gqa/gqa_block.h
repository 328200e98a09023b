// One layer with grouped-query attention and a gated SiLU network, run by all threads of the gang together.
#pragma once

#include "model/gqa/gqa_weights.h"
#include "model/gqa/gqa_workspace.h"
#include "model/step.h"
#include "model/team.h"

namespace plm::model {

struct GqaContext {
  const GqaConfig& config;
  const Step& step;
  GqaWorkspace& work;
  const Team& team;
  int64_t layer = 0;

  const Config& common() const { return config.common; }
  GqaWorkspace::Thread& mine() const { return work.threads[static_cast<size_t>(team.thread)]; }
  int64_t n_tokens() const { return static_cast<int64_t>(step.tokens.size()); }

  // Shows numbers to the step's trace. All threads call it; what is shown must be complete.
  void trace(std::string_view name, const float* data, int64_t columns) const {
    if (step.trace != nullptr && team.is_first()) {
      (*step.trace)(name, layer, data, n_tokens(), columns, columns);
    }
  }
};

// x_TD += attention, then += feed-forward. Ends with a barrier.
void run_gqa_block(const GqaContext& context, const GqaLayer& layer);

// Attention between the projections: reads q_TP, k_TJ and v_TU, appends to the caches (without advancing
// them), fills o_TO. Begins after a barrier and ends with one. In gqa_attention.cpp.
void gqa_attend(const GqaContext& context, const GqaLayer& layer);

}  // namespace plm::model
