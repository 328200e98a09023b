// What the model of this moment writes: a look at the training, not an engine.
#pragma once

#include <string>

#include "tokenizer/tokenizer.h"
#include "train/core/model.h"

namespace plm::train {

struct SampleRequest {
  std::string prompt;
  int64_t n_tokens = 64;
  double temperature = 0.8;
  uint64_t seed = 0;
};
std::string sample_text(Model& model, const tokenizer::Tokenizer& tokenizer, const SampleRequest& request);

}  // namespace plm::train
