// PLM: latent attention with full-rank queries, squared ReLU, the embedding as output matrix. Fields: the
// configuration_plm.py of transformers' pull request 37634; keys and names: llama.cpp's converter.
#include "convert/architecture.h"

namespace plm::convert {
namespace {

constexpr TensorRule kTensors[] = {
    {.hf = "model.embed_tokens.weight",
     .gguf = "token_embd.weight",
     .rows = Size::vocabulary,
     .cols = Size::width},
    {.hf = "model.layers.{}.input_layernorm.weight", .gguf = "blk.{}.attn_norm.weight", .rows = Size::width},
    // The pull request's later revisions reuse a block of CLIP, whose matrices are fc1 and fc2 with biases.
    {.hf = "model.layers.{}.mlp.down_proj.weight",
     .gguf = "blk.{}.ffn_down.weight",
     .rows = Size::width,
     .cols = Size::ffn,
     .hf_also = "model.layers.{}.mlp.fc2.weight"},
    {.hf = "model.layers.{}.mlp.up_proj.weight",
     .gguf = "blk.{}.ffn_up.weight",
     .rows = Size::ffn,
     .cols = Size::width,
     .hf_also = "model.layers.{}.mlp.fc1.weight"},
    {.hf = "model.layers.{}.mlp.down_proj.bias",
     .gguf = "",
     .rows = Size::width,
     .presence = Presence::zero_or_none,
     .hf_also = "model.layers.{}.mlp.fc2.bias"},
    {.hf = "model.layers.{}.mlp.up_proj.bias",
     .gguf = "",
     .rows = Size::ffn,
     .presence = Presence::zero_or_none,
     .hf_also = "model.layers.{}.mlp.fc1.bias"},
    {.hf = "model.layers.{}.post_attention_layernorm.weight",
     .gguf = "blk.{}.ffn_norm.weight",
     .rows = Size::width},
    {.hf = "model.layers.{}.self_attn.kv_a_layernorm.weight",
     .gguf = "blk.{}.attn_kv_a_norm.weight",
     .rows = Size::latent},
    {.hf = "model.layers.{}.self_attn.kv_a_proj_with_mqa.weight",
     .gguf = "blk.{}.attn_kv_a_mqa.weight",
     .rows = Size::cache_row,
     .cols = Size::width},
    {.hf = "model.layers.{}.self_attn.kv_a_proj_with_mqa.bias",
     .gguf = "",
     .rows = Size::cache_row,
     .presence = Presence::zero_or_none},
    {.hf = "model.layers.{}.self_attn.kv_b_proj.weight",
     .gguf = "blk.{}.attn_kv_b.weight",
     .rows = Size::expanded,
     .cols = Size::latent},
    {.hf = "model.layers.{}.self_attn.o_proj.weight",
     .gguf = "blk.{}.attn_output.weight",
     .rows = Size::width,
     .cols = Size::attended},
    {.hf = "model.layers.{}.self_attn.o_proj.bias",
     .gguf = "",
     .rows = Size::width,
     .presence = Presence::zero_or_none},
    {.hf = "model.layers.{}.self_attn.q_proj.weight",
     .gguf = "blk.{}.attn_q.weight",
     .rows = Size::queries,
     .cols = Size::width},
    {.hf = "model.norm.weight", .gguf = "output_norm.weight", .rows = Size::width},
    {.hf = "lm_head.weight",
     .gguf = "",
     .rows = Size::vocabulary,
     .cols = Size::width,
     .presence = Presence::unless_tied},
};

Status read_fields(const JsonFields& fields, ModelConfig& c) {
  PLM_TRY_STATUS(fields.expect_string("hidden_act", "relu2"));
  PLM_TRY_STATUS(fields.expect_absent("q_lora_rank", "GGUF's plm has no compressed queries"));
  PLM_TRY_STATUS(fields.expect_absent("rope_scaling", "GGUF's plm does not scale positions"));
  PLM_TRY_STATUS(fields.expect_boolean("rope_interleave", true));
  PLM_TRY(c.latent_width, fields.size("kv_lora_rank"));
  PLM_TRY(const int64_t nope_width, fields.size("qk_nope_head_dim"));
  PLM_TRY(c.rope_width, fields.size("qk_rope_head_dim"));
  PLM_TRY(c.value_width, fields.size("v_head_dim"));
  c.key_width = nope_width + c.rope_width;
  // In effect always: revisions of the pull request disagree about the default of tie_word_embeddings.
  c.is_tied = true;
  return {};
}

void write_keys(const ModelConfig& c, gguf::MetadataBuilder& keys) {
  keys.set_u32("plm.vocab_size", static_cast<uint32_t>(c.vocabulary_size));
  keys.set_u32("plm.attention.kv_lora_rank", static_cast<uint32_t>(c.latent_width));
  keys.set_u32("plm.attention.key_length", static_cast<uint32_t>(c.key_width));
  keys.set_u32("plm.attention.value_length", static_cast<uint32_t>(c.value_width));
  keys.set_u32("plm.rope.dimension_count", static_cast<uint32_t>(c.rope_width));
}

std::vector<GeneratedTensor> generate(const ModelConfig&) { return {}; }

Status read_keys(const gguf::File& file, ModelConfig& c) {
  for (const auto& [name, width] : {std::pair{"attention.kv_lora_rank", c.latent_width},
                                    std::pair{"attention.value_length", c.value_width},
                                    std::pair{"rope.dimension_count", c.rope_width}}) {
    if (width == 0) return make_error(ErrorKind::bad_data, "{}: key plm.{}: not found", file.path(), name);
  }
  if (c.key_width <= c.rope_width) {
    return make_error(ErrorKind::bad_data,
                      "{}: key plm.attention.key_length: found {}, expected more than the {} of "
                      "plm.rope.dimension_count",
                      file.path(), c.key_width, c.rope_width);
  }
  return {};
}

void write_fields(const ModelConfig& c, JsonOut& fields) {
  fields["kv_lora_rank"] = c.latent_width;
  fields["q_lora_rank"] = nullptr;
  fields["qk_nope_head_dim"] = c.key_width - c.rope_width;
  fields["qk_rope_head_dim"] = c.rope_width;
  fields["v_head_dim"] = c.value_width;
  fields["hidden_act"] = "relu2";
  fields["rope_scaling"] = nullptr;
  fields["rope_interleave"] = true;
  fields["attention_bias"] = false;
}

}  // namespace

const Architecture kPlm = {.name = "plm",
                           .model_type = "plm",
                           .class_name = "PLMForCausalLM",
                           .tensors = kTensors,
                           .read_fields = read_fields,
                           .write_keys = write_keys,
                           .generate = generate,
                           .read_keys = read_keys,
                           .write_fields = write_fields};

}  // namespace plm::convert
