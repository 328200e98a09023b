// GET /v1/plm/activity: what a PLM saves, as it writes. docs/server.md describes the fields.
#include "server/api.h"

namespace plm::server {

namespace {

// What a cache of the same type would take where every head keeps its own keys and values.
int64_t expanded_bytes_per_token(const runtime::Engine& engine) {
  const model::Config& config = engine.config();
  const model::CacheLayout layout{.n_streams = config.n_layers * config.n_kv_heads,
                                  .row_width = config.key_width() + config.value_width,
                                  .rope_frequencies = {}};
  return layout.bytes_per_token(engine.cache_type());
}

Json neurons_json(const model::SparsityCounts& counts, const model::Config& config) {
  const double n_outputs = static_cast<double>(counts.n_tokens) * static_cast<double>(config.ffn_width);
  // Before the first answer nothing has been counted.
  std::vector<double> shares(static_cast<size_t>(config.n_layers));
  for (size_t layer = 0; n_outputs > 0 && layer < counts.live_of_layer.size(); ++layer) {
    shares.at(layer) = static_cast<double>(counts.live_of_layer[layer]) / n_outputs;
  }
  return {{"per_layer", config.ffn_width}, {"n_tokens", counts.n_tokens}, {"live_share", std::move(shares)}};
}

}  // namespace

void Api::activity(Exchange& exchange) const {
  const runtime::Engine& engine = scheduler_.engine();
  const model::Config& config = engine.config();
  const bool is_latent = config.kv_lora_rank > 0;
  const int64_t bytes = engine.cache_bytes_per_token();
  const model::SparsityCounts counts = scheduler_.snapshot().activity;
  exchange.send(200,
                {{"n_layers", config.n_layers},
                 {"neurons", is_latent ? neurons_json(counts, config) : Json()},
                 {"cache",
                  {{"is_latent", is_latent},
                   {"type", tensor_type_name(engine.cache_type())},
                   {"bytes_per_token", bytes},
                   {"expanded_bytes_per_token", is_latent ? expanded_bytes_per_token(engine) : bytes}}}});
}

}  // namespace plm::server
