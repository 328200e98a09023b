// Sizes of a model as far as its GGUF header tells them, whatever the architecture.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/error.h"
#include "gguf/gguf_file.h"

namespace plm::inspect {

struct TensorGroup {
  int64_t n_tensors = 0;
  int64_t n_parameters = 0;
  int64_t bytes = 0;
};

// Bytes of cache for one token of context, all layers.
struct CacheBytes {
  int64_t latent_f16 = 0;    // one row of latent and rope key a layer, which plm keeps; 0 if not latent
  int64_t expanded_f16 = 0;  // keys and values of every head that has its own
};

struct ModelSummary {
  std::string architecture;
  TensorGroup all;
  std::map<std::string, TensorGroup> by_type;  // "Q4_0", "F32"
  std::map<std::string, TensorGroup> by_part;  // "embedding", "attention", "feed-forward", ...
  bool is_output_tied = false;                 // the embedding is the output matrix too

  // Weights read for one token by a dense decode: all, but of an untied embedding only a row.
  int64_t bytes_per_token = 0;
  // What is left when the given share of ffn_down's rows is skipped because its input is zero. That is
  // exact, and what plm does.
  int64_t activated_parameters(double zero_share) const;
  int64_t activated_bytes(double zero_share) const;
  // When the rows of ffn_up that gave those zeros are not counted either, as the PLM paper counts: they must
  // be known to give zeros before they are read, which takes a predictor.
  int64_t activated_parameters_with_up(double zero_share) const;
  // Empty in a gated feed-forward, whose SiLU is never zero.
  TensorGroup down_projection, up_projection;
  bool is_gated = false;

  std::optional<CacheBytes> cache;  // where the keys tell
};

// Fails only where a key that the sums need has a wrong type.
Result<ModelSummary> summarize(const gguf::File& file);

}  // namespace plm::inspect
