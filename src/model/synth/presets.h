// Shapes that `plm synth` can write. Letters: docs/dimensions.md.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace plm::model {

struct SynthPreset {
  std::string_view name;
  std::string_view architecture = "plm";
  int64_t n_layers;
  int64_t width;             // D
  int64_t ffn_width;         // F
  int64_t n_heads;           // H
  int64_t n_kv_heads = 0;    // G; 0 where attention is latent
  int64_t kv_lora_rank = 0;  // C; 0 where attention is grouped
  int64_t nope_width = 0;    // N
  int64_t rope_width;        // R
  int64_t value_width;       // V
  int64_t vocabulary_size;   // W
  int64_t n_unused_tokens;   // at the end of the vocabulary, after the three special tokens
  int64_t context_length = 4096;
  float rope_base = 100000;
  float rms_epsilon = 1e-6f;
  bool has_biases = false;      // on queries, keys and values
  bool has_head_norms = false;  // of queries and keys
  // MiniCPM's: of embeddings, of what each layer adds, and what logits are divided by.
  float embedding_scale = 1, residual_scale = 1, logit_divisor = 1;

  bool is_latent() const { return kv_lora_rank > 0; }
};

// "plm-1.8b" is PLM-1.8B; "plm-40m" and "plm-tiny" are small ones for tests. Those of other architectures are
// the models PLM is compared with, and a tiny one of each. All row lengths but MiniCPM's are multiples of
// 256, so that every block format fits.
std::span<const SynthPreset> synth_presets();

// Null when there is no such preset.
const SynthPreset* find_synth_preset(std::string_view name);

}  // namespace plm::model
