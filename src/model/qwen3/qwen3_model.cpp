#include "model/qwen3/qwen3_model.h"

#include "model/gqa/gqa_model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_qwen3(const gguf::File& file, const LoadOptions& options,
                                          ThreadPool& pool) {
  PLM_TRY(GqaConfig config, read_gqa_config(ConfigKeys(file, "qwen3"), "qwen3"));
  config.rope_pairs = RopePairs::halves;
  config.has_head_norms = true;
  return load_gqa_model(file, std::move(config), options, pool);
}

}  // namespace plm::model
