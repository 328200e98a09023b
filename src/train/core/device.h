// What a run computes on.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

#include "base/error.h"
#include "train/core/workers.h"
#include "train/setup/model_config.h"

namespace plm::train {

// `setting` is auto, cpu or cuda. `cuda` is the GPU of this process's local rank, and an error where torch
// sees none; `auto` takes it where there is one and the run has one worker, since workers on GPUs need NCCL,
// which is not built in.
Result<at::Device> choose_device(std::string_view setting, const WorkerPlace& place);

// The width of values as attention is given them there: the fast attention of CPUs wants values as wide as
// keys, with zeros that change nothing; that of GPUs does not.
int64_t attention_value_width(const ModelConfig& config, at::Device device);

// Which implementation of attention torch takes for rows of this length in training: flash, efficient, cudnn
// or math.
std::string attention_backend(const ModelConfig& config, at::Device device, at::ScalarType type,
                              int64_t row_tokens);

}  // namespace plm::train
