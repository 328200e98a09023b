// PLM's weights as the step reads them. Names in the file and shapes: plm-facts 1.2,
// docs/formats/plm_gguf.md.
#pragma once

#include <vector>

#include "kernels/neuron_major.h"
#include "model/config.h"
#include "model/lora/low_rank.h"
#include "model/model.h"
#include "model/weights.h"

namespace plm::model {

struct PlmLayer {
  std::vector<float> attn_norm_D;
  kernels::PackedMatrix q_proj_PD;
  kernels::PackedMatrix kv_down_ED;  // latent and rope key
  std::vector<float> kv_norm_C;

  // The up projection of the latent (attn_kv_b), head by head. A head's rows are padded to whole
  // groups, so that heads can be computed apart.
  kernels::PackedMatrix k_up_HNC;  // keys from a latent, and queries into the latent space
  kernels::PackedMatrix v_up_HVC;  // values from a latent

  kernels::PackedMatrix out_proj_DO;
  std::vector<float> ffn_norm_D;
  kernels::PackedMatrix ffn_up_FD;
  kernels::NeuronMajorMatrix ffn_down_neurons;
  // The same as 16 interleaved rows: data only for a layer that showed itself dense while decoding.
  kernels::PackedMatrix ffn_down_DF;
  AlignedBuffer ffn_down_storage;
  // What adapters change, if there are any.
  LowRank q_lora, kv_down_lora, out_lora, ffn_up_lora, ffn_down_lora;
  LatentLowRank kv_up_lora;

  int64_t adapter_bytes() const;
};

struct PlmWeights {
  kernels::FileMatrix embedding_WD;  // in the file
  kernels::PackedMatrix output_WD;   // the same numbers: PLM's output is tied
  std::vector<float> output_norm_D;
  std::vector<PlmLayer> layers;
  AlignedBuffer storage;
  int64_t largest_adapter_rank = 0;

  static Result<PlmWeights> load(const gguf::File& file, const Config& config, const LoadOptions& options,
                                 ThreadPool& pool);
};

// Groups of 16 rows that a head's part of k_up / v_up takes.
inline int64_t head_groups(int64_t head_rows) {
  return (head_rows + kernels::kGroupRows - 1) / kernels::kGroupRows;
}

}  // namespace plm::model
