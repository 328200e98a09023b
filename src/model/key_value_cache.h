// The cache of grouped-query attention: for each layer and key-value head one stream, whose rows hold the
// rotated key (Q numbers) and behind it the value (V numbers). Stream: layer * n_kv_heads + head.
#pragma once

#include <vector>

#include "model/cache.h"
#include "model/config.h"

namespace plm::model {

CacheLayout key_value_cache_layout(const Config& config, std::vector<double> rope_frequencies);

}  // namespace plm::model
