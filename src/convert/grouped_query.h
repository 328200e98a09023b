// What llama, qwen2, qwen3 and minicpm share: grouped-query attention and a gated SiLU feed-forward part.
// Internal to the folder.
#pragma once

#include <algorithm>
#include <array>

#include "convert/architecture.h"

namespace plm::convert {

// The tensors all of them have, in the order in which transformers saves a layer. `order` is of the rows of
// queries and keys.
constexpr std::array<TensorRule, 15> grouped_query_tensors(RowOrder order, Presence query_biases) {
  return {{{.hf = "model.embed_tokens.weight",
            .gguf = "token_embd.weight",
            .rows = Size::vocabulary,
            .cols = Size::width},
           {.hf = "model.layers.{}.input_layernorm.weight",
            .gguf = "blk.{}.attn_norm.weight",
            .rows = Size::width},
           {.hf = "model.layers.{}.mlp.down_proj.weight",
            .gguf = "blk.{}.ffn_down.weight",
            .rows = Size::width,
            .cols = Size::ffn},
           {.hf = "model.layers.{}.mlp.gate_proj.weight",
            .gguf = "blk.{}.ffn_gate.weight",
            .rows = Size::ffn,
            .cols = Size::width},
           {.hf = "model.layers.{}.mlp.up_proj.weight",
            .gguf = "blk.{}.ffn_up.weight",
            .rows = Size::ffn,
            .cols = Size::width},
           {.hf = "model.layers.{}.post_attention_layernorm.weight",
            .gguf = "blk.{}.ffn_norm.weight",
            .rows = Size::width},
           {.hf = "model.layers.{}.self_attn.k_proj.bias",
            .gguf = "blk.{}.attn_k.bias",
            .rows = Size::keys,
            .presence = query_biases,
            .order = order},
           {.hf = "model.layers.{}.self_attn.k_proj.weight",
            .gguf = "blk.{}.attn_k.weight",
            .rows = Size::keys,
            .cols = Size::width,
            .order = order},
           {.hf = "model.layers.{}.self_attn.o_proj.weight",
            .gguf = "blk.{}.attn_output.weight",
            .rows = Size::width,
            .cols = Size::attended},
           {.hf = "model.layers.{}.self_attn.q_proj.bias",
            .gguf = "blk.{}.attn_q.bias",
            .rows = Size::queries,
            .presence = query_biases,
            .order = order},
           {.hf = "model.layers.{}.self_attn.q_proj.weight",
            .gguf = "blk.{}.attn_q.weight",
            .rows = Size::queries,
            .cols = Size::width,
            .order = order},
           {.hf = "model.layers.{}.self_attn.v_proj.bias",
            .gguf = "blk.{}.attn_v.bias",
            .rows = Size::values,
            .presence = query_biases},
           {.hf = "model.layers.{}.self_attn.v_proj.weight",
            .gguf = "blk.{}.attn_v.weight",
            .rows = Size::values,
            .cols = Size::width},
           {.hf = "model.norm.weight", .gguf = "output_norm.weight", .rows = Size::width},
           {.hf = "lm_head.weight",
            .gguf = "output.weight",
            .rows = Size::vocabulary,
            .cols = Size::width,
            .presence = Presence::unless_tied}}};
}

// Two tables as one.
template <size_t N, size_t M>
constexpr std::array<TensorRule, N + M> join(const std::array<TensorRule, N>& a,
                                             const std::array<TensorRule, M>& b) {
  std::array<TensorRule, N + M> all{};
  std::copy(a.begin(), a.end(), all.begin());
  std::copy(b.begin(), b.end(), all.begin() + N);
  return all;
}

// Head widths, ties, and what is refused: another activation than SiLU, sliding windows, scaled positions.
struct GroupedQueryHabits {
  bool ties_by_default = false;
  bool may_scale_rope = false;  // the llama3 kind
};
Status read_grouped_query_fields(const JsonFields& fields, const GroupedQueryHabits& habits,
                                 ModelConfig& config);
Status read_grouped_query_keys(const gguf::File& file, std::string_view architecture, ModelConfig& config);
void write_grouped_query_fields(const ModelConfig& config, JsonOut& fields);

}  // namespace plm::convert
