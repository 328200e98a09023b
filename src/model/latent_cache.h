// The cache of latent attention: for each layer one stream, whose rows hold C + R numbers: the latent
// that all heads share and the rotated rope key.
#pragma once

#include "model/cache.h"
#include "model/config.h"

namespace plm::model {

CacheLayout latent_cache_layout(const Config& config);

}  // namespace plm::model
