#include "model/synth/presets.h"

#include <array>

namespace plm::model {
namespace {

constexpr std::array kPresets = {
    SynthPreset{.name = "plm-1.8b",
                .n_layers = 32,
                .width = 2048,
                .ffn_width = 8192,
                .n_heads = 16,
                .kv_lora_rank = 512,
                .nope_width = 128,
                .rope_width = 64,
                .value_width = 128,
                .vocabulary_size = 151936,
                .n_unused_tokens = 290},
    SynthPreset{.name = "plm-40m",
                .n_layers = 8,
                .width = 512,
                .ffn_width = 2048,
                .n_heads = 8,
                .kv_lora_rank = 256,
                .nope_width = 64,
                .rope_width = 32,
                .value_width = 64,
                .vocabulary_size = 32768,
                .n_unused_tokens = 61},
    SynthPreset{.name = "plm-tiny",
                .n_layers = 4,
                .width = 256,
                .ffn_width = 1024,
                .n_heads = 4,
                .kv_lora_rank = 256,
                .nope_width = 64,
                .rope_width = 32,
                .value_width = 64,
                .vocabulary_size = 2048,
                .n_unused_tokens = 5},
};

}  // namespace

std::span<const SynthPreset> synth_presets() { return kPresets; }

const SynthPreset* find_synth_preset(std::string_view name) {
  for (const SynthPreset& preset : kPresets) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

}  // namespace plm::model
