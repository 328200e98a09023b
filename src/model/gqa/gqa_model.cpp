#include "model/gqa/gqa_model.h"

#include <algorithm>

#include "model/gqa/gqa_block.h"
#include "model/key_value_cache.h"
#include "model/rope.h"
#include "quant/formats.h"

namespace plm::model {
namespace {

class GqaModel final : public Model {
 public:
  GqaModel(GqaConfig config, GqaWeights weights, GqaWorkspace workspace, const kernels::Kernels& kernels)
      : config_(std::move(config)),
        weights_(std::move(weights)),
        workspace_(std::move(workspace)),
        kernels_(kernels) {}

  const Config& config() const override { return config_.common; }
  int64_t max_tokens() const override { return workspace_.max_tokens; }
  CacheLayout cache_layout() const override {
    return key_value_cache_layout(config_.common, config_.rope_frequencies);
  }
  // A SiLU is never zero: nothing is counted.
  const SparsityCounts& sparsity() const override { return sparsity_; }
  void clear_sparsity() override {}

  WeightBytes weight_bytes() const override {
    WeightBytes bytes;
    bytes.total = static_cast<int64_t>(weights_.storage.size());
    bytes.dense_per_token = weights_.output_WD.bytes() + weights_.output_lora.bytes();
    for (const GqaLayer& layer : weights_.layers) {
      for (const kernels::PackedMatrix* matrix :
           {&layer.q_proj_PD, &layer.k_proj_JD, &layer.v_proj_UD, &layer.out_proj_DO, &layer.ffn_gate_FD,
            &layer.ffn_up_FD, &layer.ffn_down_DF}) {
        bytes.dense_per_token += matrix->bytes();
      }
      bytes.dense_per_token += layer.adapter_bytes();
    }
    return bytes;
  }

  void run(const Step& step, ThreadPool& pool) override {
    PLM_CHECK(!step.tokens.empty() && static_cast<int64_t>(step.tokens.size()) <= max_tokens());
    PLM_CHECK(pool.size() == static_cast<int>(workspace_.threads.size()));
    pool.run([&](int thread) { run_thread(step, Team{pool, kernels_, thread}); });
    for (const SequenceSlice& slice : step.sequences) slice.cache->advance(slice.n_tokens);
  }

 private:
  void run_thread(const Step& step, const Team& team) {
    GqaContext context{config_, step, workspace_, team, -1};
    embed(context);
    team.barrier();
    context.trace("embed", workspace_.x_TD, config().width);
    for (int64_t layer = 0; layer < config().n_layers; ++layer) {
      context.layer = layer;
      run_gqa_block(context, weights_.layers[static_cast<size_t>(layer)]);
    }
    output(context);
  }

  // x_t = E[token t], and the angles of its position.
  void embed(const GqaContext& context) {
    const int64_t D = config().width, R = config().rope_width;
    const quant::Format& format = *quant::find_format(weights_.embedding_WD.type);
    const int64_t bytes = row_bytes(weights_.embedding_WD.type, D);
    const auto [begin, end] = context.team.share(context.n_tokens());
    int64_t first_token = 0;
    for (const SequenceSlice& slice : context.step.sequences) {
      for (int64_t i = 0; i < slice.n_tokens; ++i) {
        const int64_t t = first_token + i;
        if (t < begin || t >= end) continue;
        float* x_D = workspace_.x_TD + t * D;
        const int64_t token = context.step.tokens[static_cast<size_t>(t)];
        format.decode(weights_.embedding_WD.data + token * bytes, x_D, D);
        change_embedding(context.team, token, x_D);
        for (int64_t d = 0; d < D; ++d) x_D[d] *= config_.embedding_scale;
        fill_rope_table(slice.cache->n_tokens() + i, config_.rope_frequencies, workspace_.cos_sin_TR + t * R);
      }
      first_token += slice.n_tokens;
    }
  }

  // Adds what an adapter of the embedding has for a token: a row of B times A.
  void change_embedding(const Team& team, int64_t token, float* x_D) const {
    const LowRank& lora = weights_.embedding_lora;
    if (lora.is_none()) return;
    float* u_Z = workspace_.lora.mine(team);
    kernels::unpack_row(lora.b_YZ, token, u_Z);
    scale_rows(lora.scale_Z, 1, u_Z);
    team.combine_rows(lora.a_ZK, u_Z, x_D, /*add=*/true);
  }

  // The logits of the tokens that are wanted, a few at a time: each thread norms them for itself.
  void output(const GqaContext& context) {
    const int64_t W = config().vocabulary_size;
    const std::span<const int64_t> wanted = context.step.logits_of;
    if (context.step.hidden != nullptr) {
      const int64_t D = config().width;
      const auto [begin, end] = context.team.share(context.n_tokens());
      for (int64_t t = begin; t < end; ++t) {
        context.team.k.rms_norm(workspace_.x_TD + t * D, weights_.output_norm_D.data(), D,
                                config().rms_epsilon, context.step.hidden + t * D);
      }
    }
    for (size_t first = 0; first < wanted.size(); first += StepInputs::kPrivateTokens) {
      const size_t n = std::min<size_t>(StepInputs::kPrivateTokens, wanted.size() - first);
      const kernels::Activations& input = workspace_.inputs.normed_rows(
          context.team, {weights_.output_norm_D.data(), config().width, config().rms_epsilon},
          workspace_.x_TD, wanted.subspan(first, n));
      float* logits = context.step.logits + static_cast<int64_t>(first) * W;
      context.team.matmul(weights_.output_WD, input, logits, W);
      workspace_.lora.add(context.team, weights_.output_lora, input, logits, W);
    }
  }

  GqaConfig config_;
  GqaWeights weights_;
  GqaWorkspace workspace_;
  kernels::Kernels kernels_;
  SparsityCounts sparsity_;
};

}  // namespace

Result<std::unique_ptr<Model>> load_gqa_model(const gguf::File& file, GqaConfig config,
                                              const LoadOptions& options, ThreadPool& pool) {
  PLM_TRY(GqaWeights weights, GqaWeights::load(file, config, options, pool));
  PLM_TRY(GqaWorkspace workspace, GqaWorkspace::allocate(config.common, options.max_tokens, pool.size(),
                                                         {.many_tokens = options.kernels.many_tokens,
                                                          .adapter_rank = weights.largest_adapter_rank}));
  return std::unique_ptr<Model>(std::make_unique<GqaModel>(std::move(config), std::move(weights),
                                                           std::move(workspace), options.kernels));
}

}  // namespace plm::model
