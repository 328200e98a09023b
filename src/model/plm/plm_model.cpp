#include "model/plm/plm_model.h"

#include <algorithm>

#include "model/latent_cache.h"
#include "model/plm/block.h"
#include "model/rope.h"
#include "quant/formats.h"

namespace plm::model {
namespace {

class PlmModel final : public Model {
 public:
  PlmModel(Config config, PlmWeights weights, Workspace workspace, const kernels::Kernels& kernels)
      : config_(std::move(config)),
        weights_(std::move(weights)),
        workspace_(std::move(workspace)),
        kernels_(kernels) {
    clear_sparsity();
  }

  const Config& config() const override { return config_; }
  int64_t max_tokens() const override { return workspace_.max_tokens; }
  CacheLayout cache_layout() const override { return latent_cache_layout(config_); }
  const SparsityCounts& sparsity() const override { return sparsity_; }

  void clear_sparsity() override {
    sparsity_.live_of_layer.assign(static_cast<size_t>(config_.n_layers), 0);
    sparsity_.n_tokens = 0;
    sparsity_.last_live_TL.reserve(static_cast<size_t>(kPrivateTokens * config_.n_layers));
  }

  WeightBytes weight_bytes() const override {
    WeightBytes bytes;
    bytes.total = static_cast<int64_t>(weights_.storage.size());
    bytes.dense_per_token = weights_.output_WD.bytes();
    for (const PlmLayer& layer : weights_.layers) {
      bytes.dense_per_token += layer.q_proj_PD.bytes() + layer.kv_down_ED.bytes() + layer.k_up_HNC.bytes() +
                               layer.v_up_HVC.bytes() + layer.out_proj_DO.bytes() + layer.ffn_up_FD.bytes() +
                               layer.adapter_bytes();
      bytes.down_per_token += layer.ffn_down_neurons.bytes();
    }
    return bytes;
  }

  void run(const Step& step, ThreadPool& pool) override {
    PLM_CHECK(!step.tokens.empty() && static_cast<int64_t>(step.tokens.size()) <= max_tokens());
    PLM_CHECK(pool.size() == static_cast<int>(workspace_.threads.size()));
    PLM_CHECK(step.live_above.empty() || std::ssize(step.live_above) == config_.n_layers);
    const auto n_told = std::ssize(step.tokens) <= kPrivateTokens ? std::ssize(step.tokens) : 0;
    sparsity_.last_live_TL.assign(static_cast<size_t>(n_told * config_.n_layers), 0);
    pool.run([&](int thread) { run_thread(step, Team{pool, kernels_, thread}); });
    for (const SequenceSlice& slice : step.sequences) slice.cache->advance(slice.n_tokens);
    sparsity_.n_tokens += static_cast<int64_t>(step.tokens.size());
    keep_dense_copies(pool);
  }

 private:
  // A layer that fires most of its neurons token after token gets its down projection as rows, for good.
  // Where there is no memory for it, they are turned each time.
  void keep_dense_copies(ThreadPool& pool) {
    constexpr int64_t kPatience = 2;
    for (size_t i = 0; i < weights_.layers.size(); ++i) {
      PlmLayer& layer = weights_.layers[i];
      if (layer.ffn_down_DF.data != nullptr || workspace_.dense_tokens[i] < kPatience) continue;
      workspace_.dense_tokens[i] = 0;
      auto storage = AlignedBuffer::allocate(static_cast<size_t>(layer.ffn_down_DF.bytes()));
      if (!storage.ok()) continue;
      layer.ffn_down_storage = *std::move(storage);
      pool.run([&](int thread) {
        turn_down_projection(Team{pool, kernels_, thread}, layer.ffn_down_neurons,
                             layer.ffn_down_storage.data());
      });
      layer.ffn_down_DF.data = layer.ffn_down_storage.data();
    }
  }

  void run_thread(const Step& step, const Team& team) {
    BlockContext context{config_, step, workspace_, team, -1};
    embed(context);
    team.barrier();
    context.trace("embed", workspace_.x_TD, config_.width, config_.width);
    for (int64_t layer = 0; layer < config_.n_layers; ++layer) {
      context.layer = layer;
      run_block(context, weights_.layers[static_cast<size_t>(layer)]);
      if (team.is_first()) count_live(layer);
    }
    context.layer = -1;
    output(context);
  }

  // x_t = E[token t], and the angles of its position.
  void embed(const BlockContext& context) {
    const int64_t D = config_.width, R = config_.rope_width;
    const quant::Format& format = *quant::find_format(weights_.embedding_WD.type);
    const int64_t bytes = row_bytes(weights_.embedding_WD.type, D);
    const auto [begin, end] = context.team.share(context.n_tokens());
    int64_t first_token = 0;
    for (const SequenceSlice& slice : context.step.sequences) {
      for (int64_t i = 0; i < slice.n_tokens; ++i) {
        const int64_t t = first_token + i;
        if (t < begin || t >= end) continue;
        const int64_t token = context.step.tokens[static_cast<size_t>(t)];
        format.decode(weights_.embedding_WD.data + token * bytes, workspace_.x_TD + t * D, D);
        fill_rope_table(slice.cache->n_tokens() + i, R, config_.rope_base, workspace_.cos_sin_TR + t * R);
      }
      first_token += slice.n_tokens;
    }
  }

  // Only by the first thread, between two barriers.
  void count_live(int64_t layer) {
    for (const ThreadWorkspace& thread : workspace_.threads) {
      sparsity_.live_of_layer[static_cast<size_t>(layer)] += thread.n_live;
      const auto n_layers = static_cast<size_t>(config_.n_layers);
      for (size_t t = 0; t * n_layers < sparsity_.last_live_TL.size(); ++t) {
        sparsity_.last_live_TL[t * n_layers + static_cast<size_t>(layer)] += thread.live_of_token[t];
      }
    }
  }

  // The logits of the tokens that are wanted, kPrivateTokens at a time.
  void output(const BlockContext& context) {
    const Team& team = context.team;
    const int64_t D = config_.width, W = config_.vocabulary_size;
    const auto n_wanted = static_cast<int64_t>(context.step.logits_of.size());
    if (context.step.trace != nullptr) {
      const kernels::Activations& all = normed_input(context, weights_.output_norm_D, workspace_.x_TD);
      context.trace("final_norm", all.values, D, D);
    }
    if (context.step.hidden != nullptr) {
      const auto [begin, end] = team.share(context.n_tokens());
      for (int64_t t = begin; t < end; ++t) {
        team.k.rms_norm(workspace_.x_TD + t * D, weights_.output_norm_D.data(), D, config_.rms_epsilon,
                        context.step.hidden + t * D);
      }
    }
    ThreadWorkspace& mine = context.mine();
    for (int64_t first = 0; first < n_wanted; first += kPrivateTokens) {
      const int64_t n = std::min(kPrivateTokens, n_wanted - first);
      mine.input.begin(mine.input_TK, n, D, D, kernels::Precision::fine);
      for (int64_t i = 0; i < n; ++i) {
        const int64_t t = context.step.logits_of[static_cast<size_t>(first + i)];
        float* values = mine.input_TK + i * D;
        team.k.rms_norm(workspace_.x_TD + t * D, weights_.output_norm_D.data(), D, config_.rms_epsilon,
                        values);
        team.k.quantize_token(values, mine.input, i);
      }
      team.matmul(weights_.output_WD, mine.input, context.step.logits + first * W, W);
    }
  }

  Config config_;
  PlmWeights weights_;
  Workspace workspace_;
  kernels::Kernels kernels_;
  SparsityCounts sparsity_;
};

}  // namespace

Result<std::unique_ptr<Model>> load_plm(const gguf::File& file, const LoadOptions& options,
                                        ThreadPool& pool) {
  PLM_TRY(Config config, read_latent_config(file, "plm"));
  PLM_TRY(PlmWeights weights, PlmWeights::load(file, config, options, pool));
  int64_t down_bytes = 0;
  for (const PlmLayer& layer : weights.layers) down_bytes = std::max(down_bytes, layer.ffn_down_DF.bytes());
  PLM_TRY(Workspace workspace, Workspace::allocate(config, options.max_tokens, pool.size(),
                                                   {.many_tokens = options.kernels.many_tokens,
                                                    .down_bytes = down_bytes,
                                                    .adapter_rank = weights.largest_adapter_rank}));
  return std::unique_ptr<Model>(std::make_unique<PlmModel>(std::move(config), std::move(weights),
                                                           std::move(workspace), options.kernels));
}

}  // namespace plm::model
