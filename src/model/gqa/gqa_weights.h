// The weights of a model with grouped-query attention as the step reads them. Letters: docs/dimensions.md.
#pragma once

#include <vector>

#include "model/gqa/gqa_config.h"
#include "model/lora/low_rank.h"
#include "model/model.h"
#include "model/weights.h"

namespace plm::model {

// In each rotated head the rows of projections, biases and head norms are in the order of pairs of
// neighbours, whatever the file has: queries and keys are reordered alike, so their products are the same.
struct GqaLayer {
  std::vector<float> attn_norm_D;
  kernels::PackedMatrix q_proj_PD, k_proj_JD, v_proj_UD;  // J = G Q, U = G V
  std::vector<float> q_bias_P, k_bias_J, v_bias_U;        // empty where there are none
  std::vector<float> q_norm_Q, k_norm_Q;                  // of each head; empty where there are none
  kernels::PackedMatrix out_proj_DO;
  std::vector<float> out_bias_D;
  std::vector<float> ffn_norm_D;
  kernels::PackedMatrix ffn_gate_FD, ffn_up_FD, ffn_down_DF;
  // What adapters change, if there are any.
  LowRank q_lora, k_lora, v_lora, out_lora, ffn_gate_lora, ffn_up_lora, ffn_down_lora;

  int64_t adapter_bytes() const;
};

struct GqaWeights {
  kernels::FileMatrix embedding_WD;  // in the file
  kernels::PackedMatrix output_WD;   // of its own, or the embedding's numbers
  std::vector<float> output_norm_D;  // the logits' scale is in it
  std::vector<GqaLayer> layers;
  LowRank embedding_lora, output_lora;
  AlignedBuffer storage;
  int64_t largest_adapter_rank = 0;

  static Result<GqaWeights> load(const gguf::File& file, const GqaConfig& config, const LoadOptions& options,
                                 ThreadPool& pool);
};

}  // namespace plm::model
