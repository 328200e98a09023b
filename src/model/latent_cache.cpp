#include "model/latent_cache.h"

#include "model/rope.h"

namespace plm::model {

CacheLayout latent_cache_layout(const Config& config) {
  return {.n_streams = config.n_layers,
          .row_width = config.cache_row_width(),
          .rope_begin = config.kv_lora_rank,
          .rope_frequencies = rope_frequencies(config.rope_width, static_cast<double>(config.rope_base))};
}

}  // namespace plm::model
