// One PLM layer: latent attention, then squared-ReLU feed-forward. Letters: docs/dimensions.md.
#include "model/plm/block.h"

namespace plm::model {
namespace {

// a_TF = relu(W_up h)^2, what is not above the step's threshold left out, and its live neurons counted. Ends
// with a barrier.
void up_projection(const BlockContext& context, const PlmLayer& w, const kernels::Activations& h_TD) {
  const Team& team = context.team;
  Workspace& s = context.work;
  const int64_t F = context.config.ffn_width;
  team.matmul(w.ffn_up_FD, h_TD, s.a_TF, F);
  s.lora.add(team, w.ffn_up_lora, h_TD, s.a_TF, F);
  if (context.step.trace != nullptr) {
    team.barrier();
    context.trace("ffn_pre", s.a_TF, F, F);
    team.barrier();
  }
  // Squared ReLU on the rows this thread has just computed.
  const auto [group_begin, group_end] = team.share(w.ffn_up_FD.n_groups());
  const int64_t begin = group_begin * kernels::kGroupRows, end = std::min(group_end * kernels::kGroupRows, F);
  ThreadWorkspace& mine = context.mine();
  mine.live_of_token = {};
  for (int64_t t = 0; t < context.n_tokens() && begin < end; ++t) {
    const int64_t n_live = team.k.relu2(s.a_TF + t * F + begin, end - begin, context.live_above());
    mine.n_live += n_live;
    if (t < kPrivateTokens) mine.live_of_token[static_cast<size_t>(t)] = n_live;
  }
  team.barrier();
  context.trace("ffn_act", s.a_TF, F, F);
}

// The same for many tokens, rounded at once for the product that follows: a tile of it never leaves the
// cache, and the hidden numbers, four times as wide as the residual stream, are never written as floats.
// Ends with a barrier.
void up_projection_rounded(const BlockContext& context, const PlmLayer& w, const kernels::Activations& h_TD) {
  const Team& team = context.team;
  ThreadWorkspace& mine = context.mine();
  const int64_t T = context.n_tokens(), F = context.config.ffn_width;
  const UpTile tile = up_tile(team.k.many_tokens);
  const auto [group_begin, group_end] = team.share(w.ffn_up_FD.n_groups(), 2);
  kernels::Activations u_TZ;  // of an adapter
  if (!w.ffn_up_lora.is_none()) u_TZ = context.work.lora.reduce(team, w.ffn_up_lora, h_TD);
  for (int64_t t = 0; t < T; t += tile.n_tokens) {
    const int64_t n_tokens = std::min(tile.n_tokens, T - t);
    for (int64_t group = group_begin; group < group_end; group += tile.n_groups) {
      const int64_t end = std::min(group + tile.n_groups, group_end);
      const int64_t row = group * kernels::kGroupRows, n_rows = std::min(end * kernels::kGroupRows, F) - row;
      const auto multiply = [&](kernels::PackedMatrix rows, const kernels::Activations& x, bool add) {
        rows.data = rows.group(group);
        rows.rows = n_rows;
        team.k.matmul({.weight = &rows,
                       .x = &x,
                       .y = mine.up_TF,
                       .y_stride = n_rows,
                       .group_begin = 0,
                       .group_end = end - group,
                       .first_token = t,
                       .n_tokens = n_tokens,
                       .add = add});
      };
      multiply(w.ffn_up_FD, h_TD, /*add=*/false);
      if (!w.ffn_up_lora.is_none()) multiply(w.ffn_up_lora.b_YZ, u_TZ, /*add=*/true);
      mine.n_live += team.k.relu2(mine.up_TF, n_tokens * n_rows, context.live_above());
      team.k.quantize_blocks({.x = mine.up_TF,
                              .x_stride = n_rows,
                              .n_tokens = n_tokens,
                              .first_token = t,
                              .first_block = row / kernels::kBlockCols,
                              .n_blocks = (n_rows + kernels::kBlockCols - 1) / kernels::kBlockCols,
                              .out = &context.work.hidden});
    }
  }
  team.barrier();
}

void feed_forward(const BlockContext& context, const PlmLayer& w) {
  Workspace& s = context.work;
  const int64_t T = context.n_tokens(), D = context.config.width, F = context.config.ffn_width;
  // The reference reads the numbers themselves, as do products with plain weights, an adapter's among them.
  const bool rounds = T > kPrivateTokens && context.step.trace == nullptr && w.ffn_down_lora.is_none() &&
                      context.team.k.isa != kernels::Isa::reference &&
                      kernels::packed_format(w.ffn_down_DF.type).codes != kernels::CodeKind::plain;
  if (rounds && context.team.is_first()) s.hidden.begin(nullptr, T, F, F, context.team.k.many_tokens);
  context.mine().n_live = 0;
  const kernels::Activations& h_TD = normed_input(context, w.ffn_norm_D, s.x_TD);
  context.trace("ffn_in", h_TD.values, D, D);
  if (rounds) {
    up_projection_rounded(context, w, h_TD);
  } else {
    up_projection(context, w, h_TD);
  }
  down_projection(context, w, rounds);
  context.team.barrier();
}

}  // namespace

void run_block(const BlockContext& context, const PlmLayer& w) {
  const Config& c = context.config;
  const Team& team = context.team;
  Workspace& s = context.work;
  const int64_t D = c.width;

  // Attention. The cache remembers one row of C + R numbers a token, shared by all heads.
  const kernels::Activations& h_TD = normed_input(context, w.attn_norm_D, s.x_TD);
  context.trace("attn_in", h_TD.values, D, D);
  team.matmul(w.q_proj_PD, h_TD, s.q_TP, c.query_width());
  s.lora.add(team, w.q_lora, h_TD, s.q_TP, c.query_width());
  team.matmul(w.kv_down_ED, h_TD, s.kv_TE, c.cache_row_width());
  s.lora.add(team, w.kv_down_lora, h_TD, s.kv_TE, c.cache_row_width());
  team.barrier();
  attend(context, w);
  context.trace("attn_heads", s.o_TO, c.value_out_width(), c.value_out_width());
  const kernels::Activations& o_TO = plain_input(context, s.o_TO, c.value_out_width());
  team.matmul(w.out_proj_DO, o_TO, s.x_TD, D, /*add=*/true);
  s.lora.add(team, w.out_lora, o_TO, s.x_TD, D);
  team.barrier();
  context.trace("h_mid", s.x_TD, D, D);

  feed_forward(context, w);
  context.trace("h_out", s.x_TD, D, D);
}

const kernels::Activations& normed_input(const BlockContext& context, const std::vector<float>& norm_D,
                                         const float* x_TD) {
  const int64_t T = context.n_tokens(), D = static_cast<int64_t>(norm_D.size());
  const Team& team = context.team;
  const bool is_private = T <= kPrivateTokens;
  kernels::Activations& input = is_private ? context.mine().input : context.work.input;
  float* values = is_private ? context.mine().input_TK : context.work.input_TK;
  const auto [begin, end] = is_private ? ThreadPool::Range{0, T} : team.share(T);
  // Every thread sets the same fields of a shared input, which all have left behind at the last barrier.
  if (is_private || team.is_first()) input.begin(values, T, D, D, team.k.precision_for(T));
  if (!is_private) team.barrier();
  for (int64_t t = begin; t < end; ++t) {
    team.k.rms_norm(x_TD + t * D, norm_D.data(), D, context.config.rms_epsilon, values + t * D);
    team.k.quantize_token(values + t * D, input, t);
  }
  if (!is_private) team.barrier();
  return input;
}

const kernels::Activations& plain_input(const BlockContext& context, const float* values_TK, int64_t width) {
  const int64_t T = context.n_tokens();
  const Team& team = context.team;
  const bool is_private = T <= kPrivateTokens;
  kernels::Activations& input = is_private ? context.mine().input : context.work.input;
  const auto [begin, end] = is_private ? ThreadPool::Range{0, T} : team.share(T);
  if (is_private || team.is_first()) input.begin(values_TK, T, width, width, team.k.precision_for(T));
  if (!is_private) team.barrier();
  for (int64_t t = begin; t < end; ++t) team.k.quantize_token(values_TK + t * width, input, t);
  if (!is_private) team.barrier();
  return input;
}

}  // namespace plm::model
