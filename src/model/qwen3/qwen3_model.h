// Qwen3, dense (arXiv 2505.09388): a norm of each query and key head instead of biases; halves are rotated.
#pragma once

#include "model/model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_qwen3(const gguf::File& file, const LoadOptions& options,
                                          ThreadPool& pool);

}  // namespace plm::model
