// Qwen3, dense: an RMS norm of each query and key head, no biases.
#include "convert/grouped_query.h"

namespace plm::convert {
namespace {

constexpr auto kTensors = join(grouped_query_tensors(RowOrder::same, Presence::zero_or_none),
                               std::array<TensorRule, 2>{{{.hf = "model.layers.{}.self_attn.k_norm.weight",
                                                           .gguf = "blk.{}.attn_k_norm.weight",
                                                           .rows = Size::head},
                                                          {.hf = "model.layers.{}.self_attn.q_norm.weight",
                                                           .gguf = "blk.{}.attn_q_norm.weight",
                                                           .rows = Size::head}}});

// The class's own default, where config.json says nothing.
constexpr int64_t kHeadWidth = 128;

Status read_fields(const JsonFields& fields, ModelConfig& c) {
  PLM_TRY_STATUS(read_grouped_query_fields(fields, {}, c));
  if (!c.states_head_width) {
    c.key_width = c.value_width = kHeadWidth;
    c.states_head_width = true;
  }
  return {};
}

void write_keys(const ModelConfig&, gguf::MetadataBuilder&) {}

std::vector<GeneratedTensor> generate(const ModelConfig&) { return {}; }

Status read_keys(const gguf::File& file, ModelConfig& c) {
  PLM_TRY_STATUS(read_grouped_query_keys(file, "qwen3", c));
  c.states_head_width = true;
  return {};
}

void write_fields(const ModelConfig& c, JsonOut& fields) {
  write_grouped_query_fields(c, fields);
  fields["attention_bias"] = false;
  fields["use_sliding_window"] = false;
}

}  // namespace

const Architecture kQwen3 = {.name = "qwen3",
                             .model_type = "qwen3",
                             .class_name = "Qwen3ForCausalLM",
                             .tensors = kTensors,
                             .read_fields = read_fields,
                             .write_keys = write_keys,
                             .generate = generate,
                             .read_keys = read_keys,
                             .write_fields = write_fields};

}  // namespace plm::convert
