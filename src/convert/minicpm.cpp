// MiniCPM (the first, 1B and 2B): a Llama whose embedding, residuals and logits are scaled.
#include <cmath>

#include "convert/grouped_query.h"

namespace plm::convert {
namespace {

constexpr auto kTensors = grouped_query_tensors(RowOrder::rope_pairs, Presence::zero_or_none);

Status read_fields(const JsonFields& fields, ModelConfig& c) {
  PLM_TRY_STATUS(read_grouped_query_fields(fields, {.ties_by_default = true}, c));
  PLM_TRY(c.embedding_scale, fields.positive("scale_emb"));
  PLM_TRY(const double depth_scale, fields.positive("scale_depth"));
  PLM_TRY(const double base_width, fields.positive("dim_model_base"));
  c.residual_scale = depth_scale / std::sqrt(static_cast<double>(c.n_layers));
  c.logit_scale = static_cast<double>(c.width) / base_width;
  return {};
}

void write_keys(const ModelConfig& c, gguf::MetadataBuilder& keys) {
  keys.set_f32("minicpm.embedding_scale", static_cast<float>(c.embedding_scale));
  keys.set_f32("minicpm.residual_scale", static_cast<float>(c.residual_scale));
  keys.set_f32("minicpm.logit_scale", static_cast<float>(c.logit_scale));
}

std::vector<GeneratedTensor> generate(const ModelConfig&) { return {}; }

Status read_keys(const gguf::File& file, ModelConfig& c) {
  PLM_TRY_STATUS(read_grouped_query_keys(file, "minicpm", c));
  for (const auto& [name, scale] :
       {std::pair{"embedding_scale", &c.embedding_scale}, std::pair{"residual_scale", &c.residual_scale},
        std::pair{"logit_scale", &c.logit_scale}}) {
    const std::string key = fmt::format("minicpm.{}", name);
    PLM_TRY(*scale, file.get_float(key));
    if (*scale > 0) continue;
    return make_error(ErrorKind::bad_data, "{}: key {}: found {}, expected a positive number", file.path(),
                      key, *scale);
  }
  return {};
}

void write_fields(const ModelConfig& c, JsonOut& fields) {
  write_grouped_query_fields(c, fields);
  // 1.4 comes back as 1.4: the key is a float32 of a quotient.
  const double depth_scale = c.residual_scale * std::sqrt(static_cast<double>(c.n_layers));
  constexpr double kDigits = 1e6;
  fields["scale_emb"] = shortest_decimal(c.embedding_scale);
  fields["scale_depth"] = std::round(depth_scale * kDigits) / kDigits;
  fields["dim_model_base"] = std::llround(static_cast<double>(c.width) / c.logit_scale);
}

}  // namespace

const Architecture kMiniCpm = {.name = "minicpm",
                               .model_type = "minicpm",
                               .class_name = "MiniCPMForCausalLM",
                               .tensors = kTensors,
                               .read_fields = read_fields,
                               .write_keys = write_keys,
                               .generate = generate,
                               .read_keys = read_keys,
                               .write_fields = write_fields};

}  // namespace plm::convert
