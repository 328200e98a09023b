// What a model's file says about its shape. Letters: docs/dimensions.md.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "gguf/gguf_file.h"

namespace plm::model {

struct Config {
  std::string architecture;  // "plm"
  std::string name;          // general.name, may be empty
  int64_t n_layers = 0;
  int64_t width = 0;            // D
  int64_t ffn_width = 0;        // F
  int64_t n_heads = 0;          // H
  int64_t n_kv_heads = 0;       // heads that have keys and values of their own; the others share them
  int64_t vocabulary_size = 0;  // W
  int64_t context_length = 0;   // the longest the model was trained for
  int64_t kv_lora_rank = 0;     // C; 0 where attention is not latent
  int64_t nope_width = 0;       // N
  int64_t rope_width = 0;       // R
  int64_t value_width = 0;      // V
  float rms_epsilon = 0;
  float rope_base = 0;

  int64_t key_width() const { return nope_width + rope_width; }          // Q
  int64_t cache_row_width() const { return kv_lora_rank + rope_width; }  // E, where attention is latent
  int64_t query_width() const { return n_heads * key_width(); }          // P = H Q
  int64_t value_out_width() const { return n_heads * value_width; }      // O = H V
  // What a cache of expanded keys and values would hold for a token and layer.
  int64_t expanded_cache_width() const { return n_kv_heads * (key_width() + value_width); }
};

// Reads the keys of an architecture whose attention is latent (plm.*). Every number is checked.
Result<Config> read_latent_config(const gguf::File& file, std::string_view architecture);

}  // namespace plm::model
