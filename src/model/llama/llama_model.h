// Llama 2 and 3 (arXiv 2307.09288, 2407.21783) and what is built like them: SmolLM2, TinyLlama, Yi. Pairs of
// neighbours are rotated (the converter has reordered Hugging Face's rows); Llama 3 brings rope_freqs.weight.
#pragma once

#include "model/model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_llama(const gguf::File& file, const LoadOptions& options,
                                          ThreadPool& pool);

}  // namespace plm::model
