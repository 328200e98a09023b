// Shapes that `plm synth` can write. Letters: docs/dimensions.md.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace plm::model {

struct SynthPreset {
  std::string_view name;
  int64_t n_layers;
  int64_t width;            // D
  int64_t ffn_width;        // F
  int64_t n_heads;          // H
  int64_t kv_lora_rank;     // C
  int64_t nope_width;       // N
  int64_t rope_width;       // R
  int64_t value_width;      // V
  int64_t vocabulary_size;  // W
  int64_t n_unused_tokens;  // at the end of the vocabulary, after the three special tokens
};

// "plm-1.8b" is PLM-1.8B; "plm-40m" and "plm-tiny" are small ones for tests. All row lengths are
// multiples of 256, so that every block format fits.
std::span<const SynthPreset> synth_presets();

// Null when there is no such preset.
const SynthPreset* find_synth_preset(std::string_view name);

}  // namespace plm::model
