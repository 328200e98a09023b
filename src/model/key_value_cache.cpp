#include "model/key_value_cache.h"

namespace plm::model {

CacheLayout key_value_cache_layout(const Config& config, std::vector<double> rope_frequencies) {
  return {.n_streams = config.n_layers * config.n_kv_heads,
          .row_width = config.key_width() + config.value_width,
          .rope_begin = 0,
          .rope_frequencies = std::move(rope_frequencies)};
}

}  // namespace plm::model
