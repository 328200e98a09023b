// A model with grouped-query attention and a gated SiLU network. The folders of its architectures read their
// configuration and load it here.
#pragma once

#include "model/gqa/gqa_config.h"
#include "model/model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_gqa_model(const gguf::File& file, GqaConfig config,
                                              const LoadOptions& options, ThreadPool& pool);

}  // namespace plm::model
