// Qwen2 and Qwen2.5: biases on queries, keys and values; rope pairs stay as Hugging Face has them.
#include "convert/grouped_query.h"

namespace plm::convert {
namespace {

constexpr auto kTensors = grouped_query_tensors(RowOrder::same, Presence::required);

Status read_fields(const JsonFields& fields, ModelConfig& c) {
  return read_grouped_query_fields(fields, {}, c);
}

void write_keys(const ModelConfig&, gguf::MetadataBuilder&) {}

std::vector<GeneratedTensor> generate(const ModelConfig&) { return {}; }

Status read_keys(const gguf::File& file, ModelConfig& c) { return read_grouped_query_keys(file, "qwen2", c); }

void write_fields(const ModelConfig& c, JsonOut& fields) {
  write_grouped_query_fields(c, fields);
  fields["use_sliding_window"] = false;
}

}  // namespace

const Architecture kQwen2 = {.name = "qwen2",
                             .model_type = "qwen2",
                             .class_name = "Qwen2ForCausalLM",
                             .tensors = kTensors,
                             .read_fields = read_fields,
                             .write_keys = write_keys,
                             .generate = generate,
                             .read_keys = read_keys,
                             .write_fields = write_fields};

}  // namespace plm::convert
