#include "model/llama/llama_model.h"

#include "model/gqa/gqa_model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_llama(const gguf::File& file, const LoadOptions& options,
                                          ThreadPool& pool) {
  PLM_TRY(GqaConfig config, read_gqa_config(ConfigKeys(file, "llama"), "llama"));
  config.rope_pairs = RopePairs::neighbours;
  return load_gqa_model(file, std::move(config), options, pool);
}

}  // namespace plm::model
