// The down projection: x_TD += W_down a_TF, where most of a_TF is zero. Its weights are kept neuron by
// neuron, so that for few tokens the rows of neurons that did not fire are never read. Many tokens together
// fire most neurons: for them the rows are turned into the layout of the other products first, which costs
// little beside so many products. So they are for a token that fires most of them by itself; a layer that has
// such tokens again and again keeps them turned.
#include <algorithm>
#include <array>
#include <span>

#include "model/plm/block.h"

namespace plm::model {
namespace {

// Above this share of live neurons the dense product is quicker: it reads in long runs and multiplies
// four neurons without gathering them (docs/LOG.md has the curve).
constexpr double kDenseFrom = 0.35;

// The tokens of a step of few that are multiplied alike.
struct Tokens {
  std::array<int64_t, kPrivateTokens> index{};
  int64_t count = 0;
  void add(int64_t t) { index[static_cast<size_t>(count++)] = t; }
  std::span<const int64_t> all() const { return std::span(index).first(static_cast<size_t>(count)); }
};
struct Division {
  Tokens sparse, dense;
};

// After a barrier behind the counting of live neurons; all threads come to the same answer. Each token by its
// own neurons: what becomes of it does not depend on the company.
Division divide(const BlockContext& context) {
  Division tokens;
  for (int64_t t = 0; t < context.n_tokens(); ++t) {
    int64_t n_live = 0;
    for (const ThreadWorkspace& thread : context.work.threads) {
      n_live += thread.live_of_token[static_cast<size_t>(t)];
    }
    const bool is_dense =
        static_cast<double>(n_live) >= kDenseFrom * static_cast<double>(context.config.ffn_width);
    (is_dense ? tokens.dense : tokens.sparse).add(t);
  }
  return tokens;
}

void live_neurons_only(const BlockContext& context, const PlmLayer& w, std::span<const int64_t> tokens) {
  const Team& team = context.team;
  Workspace& s = context.work;
  ThreadWorkspace& mine = context.mine();
  const int64_t D = context.config.width, F = context.config.ffn_width;
  const auto [first, last] = team.share(D, kernels::kNeuronMajorOutputs);
  if (first >= last) return;
  if (!w.ffn_down_lora.is_none()) {
    const auto u_TZ = s.lora.reduce(team, w.ffn_down_lora,
                                    kernels::Activations::unrounded(s.a_TF, context.n_tokens(), F, F));
    for (const int64_t t : tokens) {
      team.k.matmul({.weight = &w.ffn_down_lora.b_YZ,
                     .x = &u_TZ,
                     .y = s.x_TD + t * D,
                     .y_stride = D,
                     .group_begin = first / kernels::kGroupRows,
                     .group_end = (last + kernels::kGroupRows - 1) / kernels::kGroupRows,
                     .first_token = t,
                     .n_tokens = 1,
                     .add = true});
    }
  }
  for (const int64_t t : tokens) {
    const int64_t n_live = team.k.list_live(s.a_TF + t * F, F, mine.live_index_F, mine.live_value_F);
    team.k.sparse_matmul({.weight = &w.ffn_down_neurons,
                          .live = {.index = mine.live_index_F, .value = mine.live_value_F, .count = n_live},
                          .y = s.x_TD + t * D,
                          .begin = first,
                          .end = last});
  }
}

// All neurons of some tokens, which are put side by side so that the weights are read once.
void all_neurons(const BlockContext& context, const PlmLayer& w, const kernels::PackedMatrix& down_DF,
                 std::span<const int64_t> tokens) {
  const Team& team = context.team;
  Workspace& s = context.work;
  ThreadWorkspace& mine = context.mine();
  const int64_t D = context.config.width, F = context.config.ffn_width, n = std::ssize(tokens);
  mine.input.begin(mine.input_TK, n, F, F, kernels::Precision::fine);
  for (int64_t i = 0; i < n; ++i) {
    const float* from = s.a_TF + tokens[static_cast<size_t>(i)] * F;
    std::copy(from, from + F, mine.input_TK + i * F);
    team.k.quantize_token(mine.input_TK + i * F, mine.input, i);
  }
  // Nobody else needs the input of the up projection any more; every thread has its columns of it.
  float* y_ND = s.input_TK;
  const auto [group_begin, group_end] = team.share(down_DF.n_groups());
  const int64_t begin = group_begin * kernels::kGroupRows, end = std::min(group_end * kernels::kGroupRows, D);
  for (int64_t i = 0; i < n && begin < end; ++i) {
    const float* x_D = s.x_TD + tokens[static_cast<size_t>(i)] * D;
    std::copy(x_D + begin, x_D + end, y_ND + i * D + begin);
  }
  team.matmul(down_DF, mine.input, y_ND, D, /*add=*/true);
  s.lora.add(team, w.ffn_down_lora, mine.input, y_ND, D);
  for (int64_t i = 0; i < n && begin < end; ++i) {
    const float* y_D = y_ND + i * D;
    std::copy(y_D + begin, y_D + end, s.x_TD + tokens[static_cast<size_t>(i)] * D + begin);
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
  const bool is_few = context.n_tokens() <= kPrivateTokens;
  const Division tokens = is_few ? divide(context) : Division();
  if (is_few && team.is_first()) s.dense_tokens[static_cast<size_t>(context.layer)] += tokens.dense.count;
  kernels::PackedMatrix down_DF = w.ffn_down_DF;
  if (down_DF.data == nullptr && (!is_few || tokens.dense.count > 0)) {
    turn_down_projection(team, w.ffn_down_neurons, s.turned_down);
    down_DF.data = s.turned_down;
    team.barrier();
  }
  if (tokens.sparse.count > 0) {
    live_neurons_only(context, w, tokens.sparse.all());
    if (tokens.dense.count > 0) all_neurons(context, w, down_DF, tokens.dense.all());
    return;
  }
  const kernels::Activations& a_TF =
      is_rounded ? s.hidden : plain_input(context, s.a_TF, context.config.ffn_width);
  team.matmul(down_DF, a_TF, s.x_TD, context.config.width, /*add=*/true);
  s.lora.add(team, w.ffn_down_lora, a_TF, s.x_TD, context.config.width);
}

}  // namespace plm::model
