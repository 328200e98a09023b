// Where each weight lies in the one flat buffer that holds all of them. Masters, gradients, moments and
// the bf16 copies share this layout, so that the optimiser, the communication and the norm work on few
// large pieces instead of hundreds of small tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/setup/model_config.h"

namespace plm::train {

struct Parameter {
  std::string name;            // Hugging Face's
  std::vector<int64_t> shape;  // PyTorch's order, [out, in]
  int64_t offset = 0;          // in numbers, from the start of the buffer
  int64_t count = 0;
  int bucket = 0;
};

// A stretch of the buffer whose gradients are complete at about the same time of a backward pass and are
// sent together. Its length is a multiple of the number of workers.
struct Bucket {
  int64_t offset = 0;
  int64_t count = 0;
};

struct ParameterLayout {
  // Embedding, then the matrices of each layer, then, from `first_undecayed` on, every norm: weight decay
  // does not touch those.
  std::vector<Parameter> parameters;
  std::vector<Bucket> buckets;  // one for the embedding, one for each layer, one for the norms
  int64_t first_undecayed = 0;  // an offset
  int64_t count = 0;            // of the whole buffer, gaps included; gaps stay zero

  const Parameter& find(const std::string& name) const;  // the name must exist
};

ParameterLayout make_layout(const ModelConfig& config, int64_t n_workers);

}  // namespace plm::train
