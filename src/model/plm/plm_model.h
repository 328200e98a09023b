// PLM (arXiv 2503.12167): multi-head latent attention with a full-rank query, and a feed-forward
// network of squared ReLU without a gate. The equations: ARCHITECTURE.md; the text that computes
// them: block.cpp.
#pragma once

#include "model/model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_plm(const gguf::File& file, const LoadOptions& options, ThreadPool& pool);

}  // namespace plm::model
