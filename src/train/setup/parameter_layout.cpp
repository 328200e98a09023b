#include "train/setup/parameter_layout.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace plm::train {
namespace {

constexpr int64_t kAlignment = 32;  // numbers: a cache line of bf16

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

struct Builder {
  ParameterLayout layout;
  int64_t bucket_multiple = kAlignment;

  void begin_bucket() { layout.buckets.push_back({layout.count, 0}); }
  void add(std::string name, std::vector<int64_t> shape) {
    const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    layout.parameters.push_back({std::move(name), std::move(shape), layout.count, count,
                                 static_cast<int>(layout.buckets.size()) - 1});
    layout.count += round_up(count, kAlignment);
  }
  void end_bucket() {
    Bucket& bucket = layout.buckets.back();
    bucket.count = round_up(layout.count - bucket.offset, bucket_multiple);
    layout.count = bucket.offset + bucket.count;
  }
};

void add_matrices(Builder& build, const std::string& layer, const ModelConfig& c) {
  build.add(layer + "self_attn.q_proj.weight", {c.n_heads * c.query_width(), c.width});
  if (c.architecture == Architecture::plm) {
    build.add(layer + "self_attn.kv_a_proj_with_mqa.weight", {c.latent_width + c.rope_width, c.width});
    build.add(layer + "self_attn.kv_b_proj.weight",
              {c.n_heads * (c.no_rope_width + c.value_width), c.latent_width});
  } else {
    build.add(layer + "self_attn.k_proj.weight", {c.n_kv_heads * c.query_width(), c.width});
    build.add(layer + "self_attn.v_proj.weight", {c.n_kv_heads * c.value_width, c.width});
  }
  build.add(layer + "self_attn.o_proj.weight", {c.width, c.n_heads * c.value_width});
  if (c.architecture == Architecture::llama)
    build.add(layer + "mlp.gate_proj.weight", {c.ffn_width, c.width});
  build.add(layer + "mlp.up_proj.weight", {c.ffn_width, c.width});
  build.add(layer + "mlp.down_proj.weight", {c.width, c.ffn_width});
}

}  // namespace

const Parameter& ParameterLayout::find(const std::string& name) const {
  const auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [&](const Parameter& parameter) { return parameter.name == name; });
  PLM_CHECK(found != parameters.end());
  return *found;
}

ParameterLayout make_layout(const ModelConfig& c, int64_t n_workers) {
  Builder build;
  build.bucket_multiple = kAlignment * n_workers;
  build.begin_bucket();
  build.add("model.embed_tokens.weight", {c.vocabulary, c.width});
  build.end_bucket();
  for (int64_t i = 0; i < c.n_layers; ++i) {
    build.begin_bucket();
    add_matrices(build, fmt::format("model.layers.{}.", i), c);
    build.end_bucket();
  }
  build.layout.first_undecayed = build.layout.count;
  build.begin_bucket();
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    build.add(layer + "input_layernorm.weight", {c.width});
    if (c.architecture == Architecture::plm)
      build.add(layer + "self_attn.kv_a_layernorm.weight", {c.latent_width});
    build.add(layer + "post_attention_layernorm.weight", {c.width});
  }
  build.add("model.norm.weight", {c.width});
  build.end_bucket();
  return std::move(build.layout);
}

}  // namespace plm::train
