#include "model/qwen2/qwen2_model.h"

#include "model/gqa/gqa_model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_qwen2(const gguf::File& file, const LoadOptions& options,
                                          ThreadPool& pool) {
  PLM_TRY(GqaConfig config, read_gqa_config(ConfigKeys(file, "qwen2"), "qwen2"));
  config.rope_pairs = RopePairs::halves;
  return load_gqa_model(file, std::move(config), options, pool);
}

}  // namespace plm::model
