#include "model/plm/workspace.h"

#include <algorithm>

#include "model/carver.h"

namespace plm::model {

Result<Workspace> Workspace::allocate(const Config& c, int64_t max_tokens, int n_threads,
                                      const Needs& needs) {
  Workspace w;
  w.max_tokens = max_tokens;
  w.threads.resize(static_cast<size_t>(n_threads));
  w.dense_tokens.resize(static_cast<size_t>(c.n_layers));
  const int64_t T = max_tokens, H = c.n_heads, C = c.kv_lora_rank, E = c.cache_row_width();
  const int64_t widest = std::max({c.width, c.ffn_width, c.value_out_width()});
  const UpTile up = up_tile(needs.many_tokens);
  const auto carve = [&](Carver& carver) {
    carver.take(w.x_TD, T * c.width);
    carver.take(w.input_TK, T * c.width);
    carver.take(w.q_TP, T * c.query_width());
    carver.take(w.kv_TE, T * E);
    carver.take(w.o_TO, T * c.value_out_width());
    carver.take(w.a_TF, T * c.ffn_width);
    carver.take(w.cos_sin_TR, T * c.rope_width);
    carver.take(w.q_latent_THE, kPrivateTokens * H * E);
    carver.take(w.part_out_HC, kLatentStretches * H * C);
    carver.take(w.part_max_H, kLatentStretches * H);
    carver.take(w.part_sum_H, kLatentStretches * H);
    carver.take(w.merged_HC, kPrivateTokens * H * C);
    carver.take(w.latent_SE, kExpandedStretch * E);
    carver.take(w.lora_SZ, kExpandedStretch * needs.adapter_rank);
    carver.take(w.softmax_max_HT, H * T);
    carver.take(w.softmax_sum_HT, H * T);
    carver.take(w.turned_down, needs.down_bytes);
    for (ThreadWorkspace& mine : w.threads) {
      carver.take(mine.input_TK, kPrivateTokens * widest);
      carver.take(mine.live_index_F, c.ffn_width);
      carver.take(mine.live_value_F, c.ffn_width);
      carver.take(mine.up_TF, up.n_tokens * up.n_groups * kernels::kGroupRows);
      carver.take(mine.k_SQ, kernels::kExpandedRows * c.key_width());
      carver.take(mine.v_SV, kernels::kExpandedRows * c.value_width);
      carver.take(mine.latent_scratch,
                  kernels::latent_attend_scratch_bytes(H, C, c.rope_width, kExpandedStretch));
      carver.take(mine.expanded_scratch,
                  kernels::expanded_attend_scratch_bytes(c.key_width(), c.value_width));
    }
  };
  Carver measure(nullptr);
  carve(measure);
  PLM_TRY(w.storage_, AlignedBuffer::allocate(measure.size()));
  Carver carver(w.storage_.data());
  carve(carver);
  PLM_TRY(w.input, kernels::Activations::allocate(T, widest, needs.many_tokens));
  PLM_TRY(w.hidden, kernels::Activations::allocate(T, c.ffn_width, needs.many_tokens));
  PLM_TRY(w.latents, kernels::Activations::allocate(kExpandedStretch, C, needs.many_tokens));
  PLM_TRY(w.lora, LowRankRoom::allocate(T, needs.adapter_rank, n_threads));
  for (ThreadWorkspace& mine : w.threads) {
    PLM_TRY(mine.input, kernels::Activations::allocate(kPrivateTokens, widest));
    PLM_TRY(mine.latent, kernels::Activations::allocate(1, std::max(C, c.nope_width)));
  }
  return w;
}

}  // namespace plm::model
