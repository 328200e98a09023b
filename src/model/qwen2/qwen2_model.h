// Qwen2 and Qwen2.5 (arXiv 2407.10671, 2412.15115): biases on queries, keys and values; halves are rotated.
#pragma once

#include "model/model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_qwen2(const gguf::File& file, const LoadOptions& options,
                                          ThreadPool& pool);

}  // namespace plm::model
