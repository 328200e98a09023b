// MiniCPM 1 (arXiv 2404.06395): Llama's layer with three scales, of embeddings, of what each layer adds and
// of logits. Pairs of neighbours are rotated.
#pragma once

#include "model/model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_minicpm(const gguf::File& file, const LoadOptions& options,
                                            ThreadPool& pool);

}  // namespace plm::model
