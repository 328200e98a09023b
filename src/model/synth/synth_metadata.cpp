#include "model/synth/synth_metadata.h"

#include <span>

#include "model/synth/vocabulary.h"

namespace plm::model {
namespace {

uint32_t u32(int64_t value) { return static_cast<uint32_t>(value); }

void set_general(const SynthOptions& options, uint32_t file_type, gguf::MetadataBuilder& metadata) {
  const SynthPreset& preset = options.preset;
  metadata.set_string("general.architecture", preset.architecture);
  metadata.set_string("general.type", "model");
  metadata.set_string("general.name", fmt::format("{}-synthetic", preset.name));
  metadata.set_string("general.description",
                      preset.is_latent()
                          ? fmt::format("random weights, for benchmarks: sparsity {}, seed {}",
                                        options.sparsity, options.seed)
                          : fmt::format("random weights, for benchmarks: seed {}", options.seed));
  metadata.set_u32("general.file_type", file_type);
  metadata.set_u32("general.quantization_version", 2);
}

void set_shape(const SynthPreset& preset, gguf::MetadataBuilder& metadata) {
  const auto key = [&](std::string_view name) { return fmt::format("{}.{}", preset.architecture, name); };
  metadata.set_u32(key("block_count"), u32(preset.n_layers));
  metadata.set_u32(key("context_length"), u32(preset.context_length));
  metadata.set_u32(key("embedding_length"), u32(preset.width));
  metadata.set_u32(key("feed_forward_length"), u32(preset.ffn_width));
  metadata.set_u32(key("attention.head_count"), u32(preset.n_heads));
  metadata.set_u32(key("attention.head_count_kv"),
                   u32(preset.is_latent() ? preset.n_heads : preset.n_kv_heads));
  metadata.set_f32(key("rope.freq_base"), preset.rope_base);
  metadata.set_f32(key("attention.layer_norm_rms_epsilon"), preset.rms_epsilon);
  metadata.set_u32(key("vocab_size"), u32(preset.vocabulary_size));
  if (preset.is_latent()) metadata.set_u32(key("attention.kv_lora_rank"), u32(preset.kv_lora_rank));
  metadata.set_u32(key("attention.key_length"), u32(preset.nope_width + preset.rope_width));
  metadata.set_u32(key("attention.value_length"), u32(preset.value_width));
  metadata.set_u32(key("rope.dimension_count"), u32(preset.rope_width));
  if (preset.architecture == "minicpm") {
    metadata.set_f32(key("embedding_scale"), preset.embedding_scale);
    metadata.set_f32(key("residual_scale"), preset.residual_scale);
    metadata.set_f32(key("logit_scale"), preset.logit_divisor);
  }
}

void set_vocabulary(const SynthPreset& preset, gguf::MetadataBuilder& metadata) {
  const SynthVocabulary vocabulary = make_synth_vocabulary(preset.vocabulary_size, preset.n_unused_tokens);
  metadata.set_string("tokenizer.ggml.model", "gpt2");
  metadata.set_string("tokenizer.ggml.pre", "qwen2");
  metadata.set_strings("tokenizer.ggml.tokens", std::span<const std::string>(vocabulary.tokens));
  metadata.set_i32s("tokenizer.ggml.token_type", vocabulary.types);
  metadata.set_strings("tokenizer.ggml.merges", std::span<const std::string>(vocabulary.merges));
  metadata.set_u32("tokenizer.ggml.bos_token_id", vocabulary.end_of_text);
  metadata.set_u32("tokenizer.ggml.eos_token_id", vocabulary.message_end);
  metadata.set_u32("tokenizer.ggml.padding_token_id", vocabulary.end_of_text);
  metadata.set_bool("tokenizer.ggml.add_bos_token", false);
  metadata.set_string("tokenizer.chat_template", kSynthChatTemplate);
}

}  // namespace

gguf::MetadataBuilder synth_metadata(const SynthOptions& options, uint32_t file_type) {
  gguf::MetadataBuilder metadata;
  set_general(options, file_type, metadata);
  set_shape(options.preset, metadata);
  set_vocabulary(options.preset, metadata);
  return metadata;
}

}  // namespace plm::model
