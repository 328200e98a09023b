#include "model/plm/plm_weights.h"

#include "model/lora/low_rank_loader.h"

namespace plm::model {
namespace {

// attn_kv_b's rows are, head after head, N rows of keys and V rows of values. The rows
// [begin, begin + n) of every head, each head padded to whole groups.
std::vector<int64_t> head_rows(const Config& c, int64_t begin, int64_t n) {
  std::vector<int64_t> rows;
  for (int64_t h = 0; h < c.n_heads; ++h) {
    const int64_t first = h * (c.nope_width + c.value_width) + begin;
    for (int64_t i = 0; i < head_groups(n) * kernels::kGroupRows; ++i) rows.push_back(i < n ? first + i : -1);
  }
  return rows;
}

// Tensors that PLM does not have: a file with more than it needs is some other model.
Status refuse_surplus_tensors(const gguf::File& file, size_t n_expected) {
  if (file.tensors().size() == n_expected) return {};
  return make_error(ErrorKind::bad_data, "{}: number of tensors: found {}, expected {} for this shape of plm",
                    file.path(), file.tensors().size(), n_expected);
}

Status plan_layer(WeightLoader& loader, LowRankLoader& adapters, const Config& c, int64_t index,
                  PlmLayer& layer) {
  const auto name = [&](std::string_view part) { return fmt::format("blk.{}.{}.weight", index, part); };
  const auto packed = [&](std::string_view part, int64_t rows, int64_t cols, kernels::PackedMatrix* out,
                          LowRank& lora) -> Status {
    PLM_TRY(const kernels::FileMatrix source, loader.matrix(name(part), rows, cols));
    loader.add_packed(source, {}, out);
    return adapters.add(name(part), rows, cols, {}, lora);
  };
  PLM_TRY(layer.attn_norm_D, loader.vector(name("attn_norm"), c.width));
  PLM_TRY(layer.kv_norm_C, loader.vector(name("attn_kv_a_norm"), c.kv_lora_rank));
  PLM_TRY(layer.ffn_norm_D, loader.vector(name("ffn_norm"), c.width));
  PLM_TRY_STATUS(packed("attn_q", c.query_width(), c.width, &layer.q_proj_PD, layer.q_lora));
  PLM_TRY_STATUS(
      packed("attn_kv_a_mqa", c.cache_row_width(), c.width, &layer.kv_down_ED, layer.kv_down_lora));
  PLM_TRY_STATUS(packed("attn_output", c.width, c.value_out_width(), &layer.out_proj_DO, layer.out_lora));
  PLM_TRY_STATUS(packed("ffn_up", c.ffn_width, c.width, &layer.ffn_up_FD, layer.ffn_up_lora));
  PLM_TRY(const kernels::FileMatrix down, loader.matrix(name("ffn_down"), c.width, c.ffn_width));
  loader.add_neuron_major(down, &layer.ffn_down_neurons);
  layer.ffn_down_DF = {.type = down.type, .rows = c.width, .cols = c.ffn_width, .data = nullptr};
  PLM_TRY_STATUS(adapters.add(name("ffn_down"), c.width, c.ffn_width, {}, layer.ffn_down_lora));

  const int64_t N = c.nope_width, V = c.value_width;
  PLM_TRY(const kernels::FileMatrix kv_up,
          loader.matrix(name("attn_kv_b"), c.n_heads * (N + V), c.kv_lora_rank));
  loader.add_packed(kv_up, head_rows(c, 0, N), &layer.k_up_HNC);
  loader.add_packed(kv_up, head_rows(c, N, V), &layer.v_up_HVC);
  LatentLowRank& lora = layer.kv_up_lora;
  return adapters.add({.tensor = name("attn_kv_b"),
                       .rows = kv_up.rows,
                       .cols = kv_up.cols,
                       .a = &lora.a_ZC,
                       .scale = &lora.scale_Z,
                       .parts = {{head_rows(c, 0, N), &lora.k_HNZ}, {head_rows(c, N, V), &lora.v_HVZ}}});
}

}  // namespace

int64_t PlmLayer::adapter_bytes() const {
  return q_lora.bytes() + kv_down_lora.bytes() + kv_up_lora.bytes() + out_lora.bytes() + ffn_up_lora.bytes() +
         ffn_down_lora.bytes();
}

Result<PlmWeights> PlmWeights::load(const gguf::File& file, const Config& config, const LoadOptions& options,
                                    ThreadPool& pool) {
  constexpr size_t kTensorsALayer = 9;
  PlmWeights weights;
  WeightLoader loader(file);
  LowRankLoader adapters(options.adapters, loader);
  PLM_TRY(weights.embedding_WD, loader.matrix("token_embd.weight", config.vocabulary_size, config.width));
  PLM_TRY(weights.output_norm_D, loader.vector("output_norm.weight", config.width));
  loader.add_packed(weights.embedding_WD, {}, &weights.output_WD);
  weights.layers.resize(static_cast<size_t>(config.n_layers));
  for (int64_t i = 0; i < config.n_layers; ++i) {
    PLM_TRY_STATUS(plan_layer(loader, adapters, config, i, weights.layers[static_cast<size_t>(i)]));
  }
  PLM_TRY_STATUS(refuse_surplus_tensors(file, 2 + kTensorsALayer * weights.layers.size()));
  PLM_TRY_STATUS(adapters.refuse_others("plm"));
  weights.largest_adapter_rank = adapters.largest_rank();
  PLM_TRY_STATUS(loader.pack(pool, options.progress));
  weights.storage = loader.release();
  return weights;
}

}  // namespace plm::model
