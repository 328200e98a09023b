// The down projection: x_TD += W_down a_TF, where most of a_TF is zero. Its weights are kept neuron by
// neuron, so that for few tokens the rows of neurons that did not fire are never read. Many tokens together
// fire most neurons: for them the rows are turned into the layout of the other products first, which costs
// little beside so many products.
#include "model/plm/block.h"

namespace plm::model {
namespace {

// Above this share of live neurons the dense product is quicker: it reads in long runs and multiplies
// four neurons without gathering them (docs/LOG.md has the curve).
constexpr double kDenseFrom = 0.35;

// After a barrier behind the counting of live neurons; all threads come to the same answer.
bool is_sparse(const BlockContext& context) {
  int64_t n_live = 0;
  for (const ThreadWorkspace& thread : context.work.threads) n_live += thread.n_live;
  return static_cast<double>(n_live) <
         kDenseFrom * static_cast<double>(context.n_tokens() * context.config.ffn_width);
}

void live_neurons_only(const BlockContext& context, const PlmLayer& w) {
  const Team& team = context.team;
  Workspace& s = context.work;
  ThreadWorkspace& mine = context.mine();
  const int64_t D = context.config.width, F = context.config.ffn_width;
  const auto [first, last] = team.share(D, kernels::kNeuronMajorOutputs);
  if (!w.ffn_down_lora.is_none()) {
    const auto u_TZ = s.lora.reduce(team, w.ffn_down_lora,
                                    kernels::Activations::unrounded(s.a_TF, context.n_tokens(), F, F));
    const int64_t group_end = (last + kernels::kGroupRows - 1) / kernels::kGroupRows;
    if (first < last) {
      team.k.matmul({.weight = &w.ffn_down_lora.b_YZ,
                     .x = &u_TZ,
                     .y = s.x_TD,
                     .y_stride = D,
                     .group_begin = first / kernels::kGroupRows,
                     .group_end = group_end,
                     .n_tokens = context.n_tokens(),
                     .add = true});
    }
  }
  for (int64_t t = 0; t < context.n_tokens() && first < last; ++t) {
    const int64_t n_live = team.k.list_live(s.a_TF + t * F, F, mine.live_index_F, mine.live_value_F);
    team.k.sparse_matmul({.weight = &w.ffn_down_neurons,
                          .live = {.index = mine.live_index_F, .value = mine.live_value_F, .count = n_live},
                          .y = s.x_TD + t * D,
                          .begin = first,
                          .end = last});
  }
}

}  // namespace

void turn_down_projection(const Team& team, const kernels::NeuronMajorMatrix& neurons, std::byte* out) {
  const int64_t n_chunks = neurons.padded_outputs() / kernels::kNeuronMajorOutputs;
  const auto [begin, end] = team.share(n_chunks * neurons.n_units());
  for (int64_t item = begin; item < end;) {
    const int64_t chunk = item / neurons.n_units(), unit = item % neurons.n_units();
    const int64_t n = std::min(end - item, neurons.n_units() - unit);
    team.k.turn_neurons(
        {.weight = &neurons, .chunk = chunk, .unit_begin = unit, .unit_end = unit + n, .out = out});
    item += n;
  }
}

void down_projection(const BlockContext& context, const PlmLayer& w, bool is_rounded) {
  const Team& team = context.team;
  Workspace& s = context.work;
  kernels::PackedMatrix down_DF = w.ffn_down_DF;
  if (context.n_tokens() <= kPrivateTokens) {
    const bool sparse = is_sparse(context);
    if (!sparse && team.is_first()) ++s.dense_steps[static_cast<size_t>(context.layer)];
    if (sparse || down_DF.data == nullptr) {
      live_neurons_only(context, w);
      return;
    }
  } else if (down_DF.data == nullptr) {
    turn_down_projection(team, w.ffn_down_neurons, s.turned_down);
    down_DF.data = s.turned_down;
    team.barrier();
  }
  const kernels::Activations& a_TF =
      is_rounded ? s.hidden : plain_input(context, s.a_TF, context.config.ffn_width);
  team.matmul(down_DF, a_TF, s.x_TD, context.config.width, /*add=*/true);
  s.lora.add(team, w.ffn_down_lora, a_TF, s.x_TD, context.config.width);
}

}  // namespace plm::model
