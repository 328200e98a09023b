// The shape of the model that is trained, from a Hugging Face config.json: model_type plm, or llama, which
// PLM is compared with.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace plm::train {

enum class Architecture {
  plm,    // latent attention, squared ReLU
  llama,  // grouped-query attention, SwiGLU
};

// Letters as in docs/dimensions.md. Every size is at least 1 and small enough that no product of three
// of them overflows 64 bits; rope_width is even. Of a llama the whole head is rotated: N and C are 0, R = V =
// Q.
struct ModelConfig {
  Architecture architecture = Architecture::plm;
  int64_t vocabulary = 0;  // W
  int64_t width = 0;       // D
  int64_t n_layers = 0;
  int64_t n_heads = 0;        // H
  int64_t n_kv_heads = 0;     // G, llama only: a divisor of H
  int64_t latent_width = 0;   // C
  int64_t no_rope_width = 0;  // N
  int64_t rope_width = 0;     // R
  int64_t value_width = 0;    // V
  int64_t ffn_width = 0;      // F
  int64_t context_length = 0;
  double rope_theta = 0;
  double norm_eps = 0;
  double initializer_range = 0.02;
  int64_t eos_token = -1;  // -1: not named
  std::string json;        // the file as it was read, for export

  int64_t query_width() const { return no_rope_width + rope_width; }  // Q of one head
  int64_t n_parameters() const;
  int64_t n_parameters_without_embedding() const { return n_parameters() - vocabulary * width; }
  // Numbers that a token leaves in the cache: latent and rope part of each layer, or keys and values.
  int64_t cache_numbers_per_token() const {
    return n_layers *
           (architecture == Architecture::plm ? latent_width + rope_width : 2 * n_kv_heads * value_width);
  }
  // Floating-point operations of training one token of a sequence of this length: forward and twice that
  // for backward, causal attention counted by the half that is needed.
  double training_flops_per_token(int64_t sequence_length) const;
};

// Reads FOLDER/config.json. Refuses further architectures, biases, untied embeddings, compressed queries
// and rope scaling: this trainer does not know them.
Result<ModelConfig> read_model_config(const std::string& folder);
// The same from text; `name` is for messages.
Result<ModelConfig> parse_model_config(const std::string& text, const std::string& name);

}  // namespace plm::train
