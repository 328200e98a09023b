// The layer of Llama and its kin: attention whose heads share keys and values in groups, then SwiGLU.
#include "model/gqa/gqa_block.h"

#include <algorithm>

namespace plm::model {
namespace {

// y = (or +=) W input, with what an adapter changes of W: this thread's rows.
void matmul(const GqaContext& context, const kernels::PackedMatrix& w, const LowRank& lora,
            const kernels::Activations& input, float* y, bool add = false) {
  context.team.matmul(w, input, y, w.rows, add);
  context.work.lora.add(context.team, lora, input, y, w.rows);
}

// x_TD += bias: this thread's rows of a product.
void add_bias(const GqaContext& context, const kernels::PackedMatrix& w, const std::vector<float>& bias_D) {
  const int64_t D = context.common().width;
  if (bias_D.empty()) return;
  const auto [group_begin, group_end] = context.team.share(w.n_groups());
  const int64_t end = std::min(group_end * kernels::kGroupRows, D);
  for (int64_t t = 0; t < context.n_tokens(); ++t) {
    for (int64_t i = group_begin * kernels::kGroupRows; i < end; ++i) {
      context.work.x_TD[t * D + i] += bias_D[static_cast<size_t>(i)];
    }
  }
}

void attention(const GqaContext& context, const GqaLayer& w) {
  const Config& c = context.common();
  GqaWorkspace& s = context.work;
  const Team& team = context.team;
  const kernels::Activations& h_TD =
      s.inputs.normed(team, {w.attn_norm_D.data(), c.width, c.rms_epsilon}, s.x_TD, context.n_tokens());
  matmul(context, w.q_proj_PD, w.q_lora, h_TD, s.q_TP);
  matmul(context, w.k_proj_JD, w.k_lora, h_TD, s.k_TJ);
  matmul(context, w.v_proj_UD, w.v_lora, h_TD, s.v_TU);
  team.barrier();
  gqa_attend(context, w);
  context.trace("attn_heads", s.o_TO, c.value_out_width());
  matmul(context, w.out_proj_DO, w.out_lora,
         s.inputs.plain(team, s.o_TO, c.value_out_width(), context.n_tokens()), s.x_TD, /*add=*/true);
  add_bias(context, w.out_proj_DO, w.out_bias_D);
  team.barrier();
}

void feed_forward(const GqaContext& context, const GqaLayer& w) {
  const Config& c = context.common();
  GqaWorkspace& s = context.work;
  const Team& team = context.team;
  const int64_t F = c.ffn_width;
  const kernels::Activations& h_TD =
      s.inputs.normed(team, {w.ffn_norm_D.data(), c.width, c.rms_epsilon}, s.x_TD, context.n_tokens());
  matmul(context, w.ffn_gate_FD, w.ffn_gate_lora, h_TD, s.gate_TF);
  matmul(context, w.ffn_up_FD, w.ffn_up_lora, h_TD, s.up_TF);
  // On the rows that this thread has just computed.
  const auto [group_begin, group_end] = team.share(w.ffn_gate_FD.n_groups());
  const int64_t begin = group_begin * kernels::kGroupRows, end = std::min(group_end * kernels::kGroupRows, F);
  for (int64_t t = 0; t < context.n_tokens() && begin < end; ++t) {
    float* gate = s.gate_TF + t * F + begin;
    team.k.silu_multiply(gate, s.up_TF + t * F + begin, end - begin);
    if (context.config.residual_scale == 1) continue;
    for (int64_t i = 0; i < end - begin; ++i) gate[i] *= context.config.residual_scale;
  }
  team.barrier();
  context.trace("ffn_act", s.gate_TF, F);
  matmul(context, w.ffn_down_DF, w.ffn_down_lora, s.inputs.plain(team, s.gate_TF, F, context.n_tokens()),
         s.x_TD, /*add=*/true);
  team.barrier();
}

}  // namespace

void run_gqa_block(const GqaContext& context, const GqaLayer& w) {
  attention(context, w);
  context.trace("h_mid", context.work.x_TD, context.common().width);
  feed_forward(context, w);
  context.trace("h_out", context.work.x_TD, context.common().width);
}

}  // namespace plm::model
