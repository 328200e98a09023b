// The family of models with grouped-query attention and a gated SiLU network (Llama, Qwen, MiniCPM): what
// a file says, and in what its members differ. A member is a folder that reads this and loads gqa_model.h.
#pragma once

#include <vector>

#include "model/config.h"
#include "model/config_keys.h"

namespace plm::model {

// Which numbers of a head are turned together, in the file.
enum class RopePairs {
  neighbours,  // 2i and 2i + 1
  halves,      // i and i + R/2, as GPT-NeoX
};

struct GqaConfig {
  Config common;
  RopePairs rope_pairs = RopePairs::neighbours;
  bool has_head_norms = false;             // an RMS norm of each query and key head before they are rotated
  std::vector<double> rope_frequencies{};  // one for each pair
  float embedding_scale = 1;               // of what a token brings in
  float residual_scale = 1;                // of what attention and feed-forward add
  float logit_scale = 1;                   // of the logits
};

// Reads the keys and checks them; the tensor rope_freqs.weight too, if it is there. What an architecture
// has beyond these its own folder sets.
Result<GqaConfig> read_gqa_config(const ConfigKeys& keys, std::string_view architecture);

}  // namespace plm::model
