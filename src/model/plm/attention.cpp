// Multi-head latent attention in its two forms (plm-facts 1.5).
//
// Absorbed: q . (U c) = (U^T q) . c, so a query is taken into the latent space once and meets cached
// rows as they are; keys and values are the same C numbers, read once for all heads. The context is
// cut into stretches of a length that depends on nothing but the context, so that the answer does not
// depend on the number of threads.
// Expanded: keys and values of a stretch are computed from the latents and met by all tokens of the
// step, one head at a time.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cache_row.h"
#include "model/plm/block.h"

namespace plm::model {
namespace {

// From this many tokens of a sequence on, expanding what is cached is less work than absorbing (measured,
// docs/LOG.md).
constexpr int64_t kExpandedFrom = 40;

// Positions a stretch of latent attention has: short ones for short contexts so that all threads have
// some; later longer ones, because the numbers a stretch leaves behind are as much memory as 30 cached rows;
// at most kStretchesAToken.
constexpr int64_t kStretchesAToken = 32;
int64_t stretch_rows(int64_t n_positions) {
  if (n_positions <= 128) return 32;
  if (n_positions <= 1024) return 64;
  const int64_t evenly = (n_positions + kStretchesAToken - 1) / kStretchesAToken;
  return std::max<int64_t>(128, (evenly + 63) / 64 * 64);
}
static_assert(kStretchesAToken <= kLatentStretches);

// A slice and where its tokens lie in the step.
struct Place {
  const SequenceSlice& slice;
  int64_t first_token;
  int64_t first_position() const { return slice.cache->n_tokens(); }
  int64_t n_positions() const { return slice.cache->n_tokens() + slice.n_tokens; }
};

bool is_expanded(const Step& step, const SequenceSlice& slice) {
  if (step.attention == AttentionForm::automatic) {
    // With nothing cached, a step expands no more rows than it has tokens.
    const bool is_start = slice.cache->n_tokens() == 0 && slice.n_tokens > kPrivateTokens;
    return is_start || slice.n_tokens >= kExpandedFrom;
  }
  return step.attention == AttentionForm::expanded;
}

template <class Work>
void for_each_slice(const Step& step, Work&& work) {
  int64_t first_token = 0;
  for (const SequenceSlice& slice : step.sequences) {
    work(Place{slice, first_token});
    first_token += slice.n_tokens;
  }
}

// Norms the latents, rotates the rope keys and appends the rows of this thread's share of tokens.
void append_rows(const BlockContext& context, const PlmLayer& w) {
  const Config& c = context.config;
  const Team& team = context.team;
  Workspace& s = context.work;
  const int64_t C = c.kv_lora_rank, R = c.rope_width, E = c.cache_row_width();
  const auto [begin, end] = team.share(context.n_tokens());
  for_each_slice(context.step, [&](const Place& place) {
    for (int64_t i = 0; i < place.slice.n_tokens; ++i) {
      const int64_t t = place.first_token + i;
      if (t < begin || t >= end) continue;
      float* row = s.kv_TE + t * E;
      team.k.rms_norm(row, w.kv_norm_C.data(), C, c.rms_epsilon, row);
      team.k.rope(row + C, R, s.cos_sin_TR + t * R);
      Cache& cache = *place.slice.cache;
      kernels::encode_cache_row(cache.type(), row, E, cache.row(context.layer, place.first_position() + i));
    }
  });
}

// Rotates and scales the queries of this thread's share of tokens and heads.
void finish_queries(const BlockContext& context) {
  const Config& c = context.config;
  const int64_t Q = c.key_width(), R = c.rope_width, H = c.n_heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(Q));
  const auto [begin, end] = context.team.share(context.n_tokens() * H);
  for (int64_t item = begin; item < end; ++item) {
    float* q = context.work.q_TP + item * Q;
    context.team.k.rope(q + c.nope_width, R, context.work.cos_sin_TR + item / H * R);
    for (int64_t i = 0; i < Q; ++i) q[i] *= scale;
  }
}

// Absorbed form for up to kPrivateTokens tokens of one slice, those at [first, first + n).
class AbsorbedAttention {
 public:
  AbsorbedAttention(const BlockContext& context, const PlmLayer& weights, const Place& place, int64_t first,
                    int64_t n)
      : context_(context),
        c_(context.config),
        w_(weights),
        s_(context.work),
        place_(place),
        first_(first),
        n_(n) {}

  void run() {
    absorb_queries();
    context_.team.barrier();
    // As many tokens at a time as their stretches fit.
    const int64_t at_once = std::max<int64_t>(1, kLatentStretches / n_stretches(first_ + n_ - 1));
    for (int64_t begin = 0; begin < n_; begin += at_once) {
      const int64_t end = std::min(begin + at_once, n_);
      attend_stretches(begin, end);
      context_.team.barrier();
      merge_and_expand(begin, end);
      context_.team.barrier();
    }
  }

 private:
  int64_t positions_of(int64_t i) const { return place_.first_position() + i + 1; }
  int64_t n_stretches(int64_t i) const {
    const int64_t rows = stretch_rows(positions_of(i));
    return (positions_of(i) + rows - 1) / rows;
  }

  void absorb_queries() {
    const int64_t H = c_.n_heads, C = c_.kv_lora_rank, R = c_.rope_width, E = C + R, N = c_.nope_width;
    const auto [begin, end] = context_.team.share(n_ * H);
    for (int64_t item = begin; item < end; ++item) {
      // Head after head: its weights serve all tokens while they are in the cache.
      const int64_t h = item / n_, i = item % n_, t = place_.first_token + first_ + i;
      const float* q = s_.q_TP + t * c_.query_width() + h * c_.key_width();
      float* q_latent = s_.q_latent_THE + (i * H + h) * E;
      context_.team.combine_rows(head_part(w_.k_up_HNC, h, N), q, q_latent);
      if (!w_.kv_up_lora.is_none()) {
        const LatentLowRank& lora = w_.kv_up_lora;
        float* u_Z = s_.lora.mine(context_.team);
        context_.team.combine_rows(head_part(lora.k_HNZ, h, N), q, u_Z);
        scale_rows(lora.scale_Z, 1, u_Z);
        context_.team.combine_rows(lora.a_ZC, u_Z, q_latent, /*add=*/true);
      }
      std::copy(q + N, q + N + R, q_latent + C);
    }
  }

  void attend_stretches(int64_t begin, int64_t end) {
    const int64_t H = c_.n_heads, C = c_.kv_lora_rank, E = C + c_.rope_width;
    const Cache& cache = *place_.slice.cache;
    int64_t n_items = 0;
    for (int64_t i = begin; i < end; ++i) n_items += n_stretches(first_ + i);
    const auto [first_item, last_item] = context_.team.share(n_items);
    int64_t item = 0;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t positions = positions_of(first_ + i), rows = stretch_rows(positions);
      for (int64_t row = 0; row < positions; row += rows, ++item) {
        if (item < first_item || item >= last_item) continue;
        context_.team.k.latent_attend({.q_HE = s_.q_latent_THE + i * H * E,
                                       .n_heads = H,
                                       .latent_width = C,
                                       .rope_width = c_.rope_width,
                                       .cache_type = cache.type(),
                                       .rows = cache.row(context_.layer, row),
                                       .row_bytes = cache.row_bytes(),
                                       .n_rows = std::min(rows, positions - row),
                                       .out_HC = s_.part_out_HC + item * H * C,
                                       .max_H = s_.part_max_H + item * H,
                                       .sum_H = s_.part_sum_H + item * H,
                                       .scratch = context_.mine().latent_scratch});
      }
    }
  }

  // The parts of each head become one latent, and that the head's V numbers.
  void merge_and_expand(int64_t begin, int64_t end) {
    const int64_t H = c_.n_heads, C = c_.kv_lora_rank, V = c_.value_width;
    ThreadWorkspace& mine = context_.mine();
    const auto [first_item, last_item] = context_.team.share((end - begin) * H);
    int64_t part = 0;  // first stretch of token i
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t h = 0; h < H; ++h) {
        const int64_t item = (i - begin) * H + h;
        if (item < first_item || item >= last_item) continue;
        float* merged_HC = s_.merged_HC + i * H * C;
        kernels::merge_attention(n_stretches(first_ + i), H, C, s_.part_out_HC + part * H * C,
                                 s_.part_max_H + part * H, s_.part_sum_H + part * H, h, h + 1, merged_HC);
        mine.latent.begin(merged_HC + h * C, 1, C, C, kernels::Precision::fine);
        context_.team.k.quantize_token(merged_HC + h * C, mine.latent, 0);
        const int64_t t = place_.first_token + first_ + i, groups = head_groups(V);
        const kernels::PackedMatrix v_up_VC = head_part(w_.v_up_HVC, h, V);
        context_.team.k.matmul({.weight = &v_up_VC,
                                .x = &mine.latent,
                                .y = s_.o_TO + t * c_.value_out_width() + h * V,
                                .y_stride = V,
                                .group_begin = 0,
                                .group_end = groups});
        if (!w_.kv_up_lora.is_none()) add_to_values(merged_HC + h * C, t, h);
      }
      part += n_stretches(first_ + i);
    }
  }

  // What an adapter adds to the values of one head of a token, from its merged latent.
  void add_to_values(const float* latent_C, int64_t t, int64_t h) {
    const int64_t C = c_.kv_lora_rank, V = c_.value_width;
    const LatentLowRank& lora = w_.kv_up_lora;
    const auto u_Z = s_.lora.reduce_alone(context_.team, lora.a_ZC, lora.scale_Z,
                                          kernels::Activations::unrounded(latent_C, 1, C, C));
    const kernels::PackedMatrix v_VZ = head_part(lora.v_HVZ, h, V);
    context_.team.k.matmul({.weight = &v_VZ,
                            .x = &u_Z,
                            .y = s_.o_TO + t * c_.value_out_width() + h * V,
                            .y_stride = V,
                            .group_begin = 0,
                            .group_end = v_VZ.n_groups(),
                            .add = true});
  }

 public:
  // One head's rows of a matrix whose heads are padded to whole groups.
  static kernels::PackedMatrix head_part(const kernels::PackedMatrix& all, int64_t head, int64_t rows) {
    return {.type = all.type, .rows = rows, .cols = all.cols, .data = all.group(head * head_groups(rows))};
  }

 private:
  const BlockContext& context_;
  const Config& c_;
  const PlmLayer& w_;
  Workspace& s_;
  const Place& place_;
  int64_t first_, n_;
};

// Expanded form for all tokens of one slice.
class ExpandedAttention {
 public:
  ExpandedAttention(const BlockContext& context, const PlmLayer& weights, const Place& place)
      : context_(context), c_(context.config), w_(weights), s_(context.work), place_(place) {}

  void run() {
    const int64_t S = place_.n_positions();
    const Team& team = context_.team;
    for (int64_t begin = 0; begin < S; begin += kExpandedStretch) {
      const int64_t n_rows = std::min(kExpandedStretch, S - begin);
      read_latents(begin, n_rows);
      team.barrier();
      // The running softmax of a head stays with the thread that began it.
      const auto [first_head, last_head] = team.share(c_.n_heads);
      for (int64_t h = first_head; h < last_head; ++h) {
        for (int64_t row = 0; row < n_rows; row += kernels::kExpandedRows) {
          attend_rows(h, begin, row, std::min(kernels::kExpandedRows, n_rows - row));
        }
      }
      team.barrier();
    }
    const auto [first_head, last_head] = team.share(c_.n_heads);
    for (int64_t h = first_head; h < last_head; ++h) normalise(h);
    team.barrier();
  }

 private:
  int64_t n_tokens() const { return place_.slice.n_tokens; }
  float* out(int64_t t, int64_t h) const {
    return s_.o_TO + (place_.first_token + t) * c_.value_out_width() + h * c_.value_width;
  }
  float* max_of(int64_t h) const { return s_.softmax_max_HT + h * s_.max_tokens; }
  float* sum_of(int64_t h) const { return s_.softmax_sum_HT + h * s_.max_tokens; }

  void read_latents(int64_t begin, int64_t n_rows) {
    const int64_t E = c_.cache_row_width(), C = c_.kv_lora_rank;
    const Cache& cache = *place_.slice.cache;
    if (context_.team.is_first()) s_.latents.begin(s_.latent_SE, n_rows, C, E, context_.team.k.many_tokens);
    context_.team.barrier();
    const auto [first, last] = context_.team.share(n_rows);
    for (int64_t row = first; row < last; ++row) {
      float* latent = s_.latent_SE + row * E;
      kernels::decode_cache_row(cache.type(), cache.row(context_.layer, begin + row), E, latent);
      context_.team.k.quantize_token(latent, s_.latents, row);
    }
    const LatentLowRank& lora = w_.kv_up_lora;
    if (lora.is_none()) return;
    context_.team.barrier();  // its share of rows is another
    reduce_tokens(context_.team, lora.a_ZC, lora.scale_Z, s_.latents,
                  context_.team.share(n_rows, kTokenGrain), s_.lora_SZ);
  }

  // This thread's keys and values of head h, from rows of a stretch.
  void expand(const kernels::PackedMatrix& keys, const kernels::PackedMatrix& values,
              const kernels::Activations& input, int64_t h, ThreadPool::Range rows, bool add) {
    const int64_t N = c_.nope_width, Q = c_.key_width(), V = c_.value_width;
    ThreadWorkspace& mine = context_.mine();
    const auto multiply = [&](const kernels::PackedMatrix& head, float* y, int64_t y_stride) {
      context_.team.k.matmul({.weight = &head,
                              .x = &input,
                              .y = y,
                              .y_stride = y_stride,
                              .group_begin = 0,
                              .group_end = head.n_groups(),
                              .first_token = rows.begin,
                              .n_tokens = rows.end - rows.begin,
                              .add = add});
    };
    multiply(AbsorbedAttention::head_part(keys, h, N), mine.k_SQ, Q);
    multiply(AbsorbedAttention::head_part(values, h, V), mine.v_SV, V);
  }

  // Head h meets the rows [row, row + n) of the stretch that begins at position `begin`.
  void attend_rows(int64_t h, int64_t begin, int64_t row, int64_t n) {
    const int64_t N = c_.nope_width, R = c_.rope_width, Q = N + R, V = c_.value_width, C = c_.kv_lora_rank;
    const int64_t first_key = begin + row;
    if (begin == 0 && row == 0) start(h);
    ThreadWorkspace& mine = context_.mine();
    expand(w_.k_up_HNC, w_.v_up_HVC, s_.latents, h, {row, row + n}, /*add=*/false);
    if (const LatentLowRank& lora = w_.kv_up_lora; !lora.is_none()) {
      const int64_t Z = lora.a_ZC.rows;
      const auto u_SZ = kernels::Activations::unrounded(s_.lora_SZ, row + n, Z, Z);
      expand(lora.k_HNZ, lora.v_HVZ, u_SZ, h, {row, row + n}, /*add=*/true);
    }
    for (int64_t i = 0; i < n; ++i) {
      const float* rope_key = s_.latent_SE + (row + i) * (C + R) + C;
      std::copy(rope_key, rope_key + R, mine.k_SQ + i * Q + N);
    }
    // Tokens before the first key of these rows do not see them.
    const int64_t first_token = std::max<int64_t>(0, first_key - place_.first_position());
    for (int64_t t = first_token; t < n_tokens(); t += kernels::kExpandedTokens) {
      context_.team.k.expanded_attend({.q_TQ = s_.q_TP + (place_.first_token + t) * c_.query_width() + h * Q,
                                       .q_stride = c_.query_width(),
                                       .n_tokens = std::min(kernels::kExpandedTokens, n_tokens() - t),
                                       .key_width = Q,
                                       .value_width = V,
                                       .k_SQ = mine.k_SQ,
                                       .k_stride = Q,
                                       .v_SV = mine.v_SV,
                                       .v_stride = V,
                                       .n_rows = n,
                                       .first_position = place_.first_position() + t,
                                       .first_key_position = first_key,
                                       .out_TV = out(t, h),
                                       .out_stride = c_.value_out_width(),
                                       .max_T = max_of(h) + t,
                                       .sum_T = sum_of(h) + t,
                                       .exact = place_.slice.cache->type() == TensorType::f32,
                                       .scratch = mine.expanded_scratch});
    }
  }

  void start(int64_t h) {
    std::fill_n(max_of(h), n_tokens(), -std::numeric_limits<float>::infinity());
    std::fill_n(sum_of(h), n_tokens(), 0.0f);
    for (int64_t t = 0; t < n_tokens(); ++t) std::fill_n(out(t, h), c_.value_width, 0.0f);
  }

  void normalise(int64_t h) {
    for (int64_t t = 0; t < n_tokens(); ++t) {
      const float scale = 1.0f / sum_of(h)[t];
      for (int64_t v = 0; v < c_.value_width; ++v) out(t, h)[v] *= scale;
    }
  }

  const BlockContext& context_;
  const Config& c_;
  const PlmLayer& w_;
  Workspace& s_;
  const Place& place_;
};

}  // namespace

void attend(const BlockContext& context, const PlmLayer& w) {
  const Config& c = context.config;
  append_rows(context, w);
  finish_queries(context);
  context.team.barrier();
  context.trace("q", context.work.q_TP, c.query_width(), c.query_width());
  context.trace("kv", context.work.kv_TE, c.cache_row_width(), c.cache_row_width());
  for_each_slice(context.step, [&](const Place& place) {
    if (is_expanded(context.step, place.slice)) {
      ExpandedAttention(context, w, place).run();
      return;
    }
    for (int64_t first = 0; first < place.slice.n_tokens; first += kPrivateTokens) {
      AbsorbedAttention(context, w, place, first, std::min(kPrivateTokens, place.slice.n_tokens - first))
          .run();
    }
  });
}

}  // namespace plm::model
