// Llama 2 and 3, SmolLM2 and what else is LlamaForCausalLM.
#include <cmath>
#include <numbers>

#include "convert/grouped_query.h"

namespace plm::convert {
namespace {

constexpr auto kTensors = join(grouped_query_tensors(RowOrder::rope_pairs, Presence::optional),
                               std::array<TensorRule, 4>{{{.hf = "model.layers.{}.self_attn.o_proj.bias",
                                                           .gguf = "blk.{}.attn_output.bias",
                                                           .rows = Size::width,
                                                           .presence = Presence::optional},
                                                          {.hf = "model.layers.{}.mlp.down_proj.bias",
                                                           .gguf = "",
                                                           .rows = Size::width,
                                                           .presence = Presence::zero_or_none},
                                                          {.hf = "model.layers.{}.mlp.gate_proj.bias",
                                                           .gguf = "",
                                                           .rows = Size::ffn,
                                                           .presence = Presence::zero_or_none},
                                                          {.hf = "model.layers.{}.mlp.up_proj.bias",
                                                           .gguf = "",
                                                           .rows = Size::ffn,
                                                           .presence = Presence::zero_or_none}}});

constexpr char kRopeFactors[] = "rope_freqs.weight";

// What each frequency is divided by: transformers' _compute_llama3_parameters.
std::vector<float> rope_factors(const ModelConfig& c, const RopeScaling& scaling) {
  std::vector<float> factors;
  const auto context = static_cast<double>(scaling.original_context);
  for (int64_t i = 0; i < c.key_width; i += 2) {
    const double exponent = static_cast<double>(i) / static_cast<double>(c.key_width);
    const double wavelength = 2 * std::numbers::pi * std::pow(c.rope_base, exponent);
    if (wavelength < context / scaling.high_frequency_factor) {
      factors.push_back(1);
    } else if (wavelength > context / scaling.low_frequency_factor) {
      factors.push_back(static_cast<float>(scaling.factor));
    } else {
      const double smooth = (context / wavelength - scaling.low_frequency_factor) /
                            (scaling.high_frequency_factor - scaling.low_frequency_factor);
      factors.push_back(static_cast<float>(1 / ((1 - smooth) / scaling.factor + smooth)));
    }
  }
  return factors;
}

Status read_fields(const JsonFields& fields, ModelConfig& c) {
  PLM_TRY_STATUS(read_grouped_query_fields(fields, {.may_scale_rope = true}, c));
  return {};
}

void write_keys(const ModelConfig& c, gguf::MetadataBuilder& keys) {
  keys.set_u32("llama.vocab_size", static_cast<uint32_t>(c.vocabulary_size));
  keys.set_u32("llama.rope.dimension_count", static_cast<uint32_t>(c.key_width));
}

std::vector<GeneratedTensor> generate(const ModelConfig& c) {
  if (!c.rope_scaling) return {};
  return {{kRopeFactors, rope_factors(c, *c.rope_scaling)}};
}

// GGUF keeps the factors, not what they were made from: the largest is the factor, and the rest is what all
// models of this kind have. Factors that do not come out the same are refused.
Status read_keys(const gguf::File& file, ModelConfig& c) {
  PLM_TRY_STATUS(read_grouped_query_keys(file, "llama", c));
  const gguf::TensorInfo* tensor = file.find_tensor(kRopeFactors);
  if (tensor == nullptr) return {};
  const auto wrong = [&] {
    return make_error(ErrorKind::unsupported,
                      "{}: tensor {}: found factors that are not Llama 3's, which config.json can state",
                      file.path(), kRopeFactors);
  };
  const auto bytes = file.tensor_data(*tensor);
  if (tensor->type != TensorType::f32 || tensor->n_elements != c.key_width / 2) return wrong();
  const auto* numbers = reinterpret_cast<const float*>(bytes.data());
  const std::span found(numbers, static_cast<size_t>(tensor->n_elements));
  const RopeScaling scaling{.factor = *std::max_element(found.begin(), found.end())};
  const std::vector<float> made = rope_factors(c, scaling);
  constexpr float kRounding = 1e-5F;
  for (size_t i = 0; i < made.size(); ++i) {
    if (!(std::abs(found[i] - made[i]) <= kRounding * made[i])) return wrong();
  }
  c.rope_scaling = scaling;
  return {};
}

void write_fields(const ModelConfig& c, JsonOut& fields) {
  write_grouped_query_fields(c, fields);
  fields["attention_bias"] = c.has_attention_biases;
  fields["mlp_bias"] = false;
  if (!c.rope_scaling) return;
  fields["rope_scaling"] = {{"factor", c.rope_scaling->factor},
                            {"high_freq_factor", c.rope_scaling->high_frequency_factor},
                            {"low_freq_factor", c.rope_scaling->low_frequency_factor},
                            {"original_max_position_embeddings", c.rope_scaling->original_context},
                            {"rope_type", "llama3"}};
}

}  // namespace

const Architecture kLlama = {.name = "llama",
                             .model_type = "llama",
                             .class_name = "LlamaForCausalLM",
                             .tensors = kTensors,
                             .read_fields = read_fields,
                             .write_keys = write_keys,
                             .generate = generate,
                             .read_keys = read_keys,
                             .write_fields = write_fields};

}  // namespace plm::convert
