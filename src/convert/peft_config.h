// adapter_config.json of PEFT. Internal to the folder.
#pragma once

#include "convert/json_reader.h"

namespace plm::convert {

struct PeftConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool is_rank_stabilised = false;  // rsLoRA (arXiv 2312.03732)

  // What B A is multiplied by.
  float scale() const;
};

// Refuses whatever changes the model in another way than W + scale B A.
Result<PeftConfig> read_peft_config(const JsonFields& fields);

}  // namespace plm::convert
