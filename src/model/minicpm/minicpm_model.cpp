#include "model/minicpm/minicpm_model.h"

#include <cmath>

#include "model/gqa/gqa_model.h"

namespace plm::model {

Result<std::unique_ptr<Model>> load_minicpm(const gguf::File& file, const LoadOptions& options,
                                            ThreadPool& pool) {
  const ConfigKeys keys(file, "minicpm");
  PLM_TRY(GqaConfig config, read_gqa_config(keys, "minicpm"));
  config.rope_pairs = RopePairs::neighbours;
  // Files older than the keys mean MiniCPM-2B: scale_emb, scale_depth and dim_model_base of its config.json.
  constexpr float kScaleEmbedding = 12, kScaleDepth = 1.4f, kBaseWidth = 256;
  const auto n_layers = static_cast<float>(config.common.n_layers);
  const auto width = static_cast<float>(config.common.width);
  PLM_TRY(config.embedding_scale, keys.positive_or("embedding_scale", kScaleEmbedding));
  PLM_TRY(config.residual_scale, keys.positive_or("residual_scale", kScaleDepth / std::sqrt(n_layers)));
  // The key is what logits are divided by.
  PLM_TRY(const float divisor, keys.positive_or("logit_scale", width / kBaseWidth));
  config.logit_scale = 1 / divisor;
  return load_gqa_model(file, std::move(config), options, pool);
}

}  // namespace plm::model
