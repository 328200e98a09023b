// Every buffer a step needs, allocated once for the largest step. Letters: docs/dimensions.md.
#pragma once

#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/lora/low_rank.h"
#include "model/step_inputs.h"

namespace plm::model {

struct GqaWorkspace {
  // Positions of the cache decoded at once for the many-token form.
  static constexpr int64_t kDecodedRows = 512;
  // Stretches of the cache (of one token each) that the few-token form has under way at once.
  static constexpr int64_t kStretches = 256;
  // The longest stretch, in positions.
  static constexpr int64_t kStretchRows = 2048;

  // How the kernels keep many tokens (Kernels::many_tokens); the largest rank of the weights' adapters.
  struct Needs {
    kernels::Precision many_tokens = kernels::Precision::coarse;
    int64_t adapter_rank = 0;
  };
  static Result<GqaWorkspace> allocate(const Config& config, int64_t max_tokens, int n_threads,
                                       const Needs& needs);

  int64_t max_tokens = 0;
  float* x_TD = nullptr;  // the residual stream
  float* q_TP = nullptr;
  float* k_TJ = nullptr;  // J = G Q
  float* v_TU = nullptr;  // U = G V
  float* o_TO = nullptr;  // attention's answer, heads side by side
  float* gate_TF = nullptr;
  float* up_TF = nullptr;
  float* cos_sin_TR = nullptr;
  float* part_out_HV = nullptr;  // kStretches partial answers
  float* part_max_H = nullptr;
  float* part_sum_H = nullptr;
  float* rows_GSX = nullptr;        // kDecodedRows cached rows of each head in float, X = Q + V
  float* softmax_max_HT = nullptr;  // running softmax of the many-token form
  float* softmax_sum_HT = nullptr;
  StepInputs inputs;
  LowRankRoom lora;

  struct Thread {
    float* row_X = nullptr;  // a row before it is cached
    std::byte* scratch = nullptr;
  };
  std::vector<Thread> threads;

 private:
  AlignedBuffer storage_;
};

}  // namespace plm::model
