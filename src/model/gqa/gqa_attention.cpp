// Grouped-query attention in two forms whose answers are equal up to rounding.
//
// For few tokens: each meets the cached rows as they are, one key-value head and the heads that share it at
// a time. The context is cut into stretches of a length that depends on nothing but the context, so that the
// answer does not depend on the number of threads.
// For many tokens: a stretch of the cache is decoded to floats once and met by blocks of tokens, one head at
// a time, with a running softmax.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cache_row.h"
#include "model/gqa/gqa_block.h"

namespace plm::model {
namespace {

constexpr int64_t kManyTokens = 16;

// Positions of a stretch: short ones for short contexts so that all threads have some, at most
// kStretchesAToken of them for long ones.
constexpr int64_t kStretchesAToken = 64;
int64_t stretch_rows(int64_t n_positions) {
  if (n_positions <= 128) return 32;
  const int64_t evenly = (n_positions + kStretchesAToken - 1) / kStretchesAToken;
  return std::max<int64_t>(64, (evenly + 63) / 64 * 64);
}
static_assert(kStretchesAToken <= GqaWorkspace::kStretches);

// A slice and where its tokens lie in the step.
struct Place {
  const SequenceSlice& slice;
  int64_t first_token;
  int64_t first_position() const { return slice.cache->n_tokens(); }
  int64_t n_positions() const { return slice.cache->n_tokens() + slice.n_tokens; }
};

template <class Work>
void for_each_slice(const Step& step, Work&& work) {
  int64_t first_token = 0;
  for (const SequenceSlice& slice : step.sequences) {
    work(Place{slice, first_token});
    first_token += slice.n_tokens;
  }
}

bool is_for_many(const Step& step, const SequenceSlice& slice) {
  if (step.attention == AttentionForm::automatic) return slice.n_tokens >= kManyTokens;
  return step.attention == AttentionForm::expanded;
}

// Bias, norm and rotation of one head of one token.
struct HeadFinish {
  const std::vector<float>& bias;    // of all heads; may be empty
  const std::vector<float>& norm_Q;  // may be empty
};
void finish_head(const GqaContext& context, const HeadFinish& finish, int64_t token, int64_t head,
                 float* x_Q) {
  const Config& c = context.common();
  const int64_t Q = c.key_width();
  if (!finish.bias.empty()) {
    for (int64_t i = 0; i < Q; ++i) x_Q[i] += finish.bias[static_cast<size_t>(head * Q + i)];
  }
  if (!finish.norm_Q.empty()) context.team.k.rms_norm(x_Q, finish.norm_Q.data(), Q, c.rms_epsilon, x_Q);
  context.team.k.rope(x_Q, c.rope_width, context.work.cos_sin_TR + token * c.rope_width);
}

// Appends the rows of this thread's share of tokens and key-value heads.
void append_rows(const GqaContext& context, const GqaLayer& w) {
  const Config& c = context.common();
  GqaWorkspace& s = context.work;
  const int64_t G = c.n_kv_heads, Q = c.key_width(), V = c.value_width;
  const auto [begin, end] = context.team.share(context.n_tokens() * G);
  float* row_X = context.mine().row_X;
  for_each_slice(context.step, [&](const Place& place) {
    Cache& cache = *place.slice.cache;
    const int64_t first_item = std::max(begin, place.first_token * G);
    const int64_t last_item = std::min(end, (place.first_token + place.slice.n_tokens) * G);
    for (int64_t item = first_item; item < last_item; ++item) {
      const int64_t t = item / G, g = item % G;
      float* value_V = row_X + Q;
      std::copy_n(s.k_TJ + item * Q, Q, row_X);
      std::copy_n(s.v_TU + item * V, V, value_V);
      finish_head(context, {w.k_bias_J, w.k_norm_Q}, t, g, row_X);
      if (!w.v_bias_U.empty()) {
        for (int64_t i = 0; i < V; ++i) value_V[i] += w.v_bias_U[static_cast<size_t>(g * V + i)];
      }
      const int64_t position = place.first_position() + t - place.first_token;
      kernels::encode_cache_row(cache.type(), row_X, Q + V, cache.row(context.layer * G + g, position));
    }
  });
}

// Finishes and scales the queries of this thread's share of tokens and heads.
void finish_queries(const GqaContext& context, const GqaLayer& w) {
  const Config& c = context.common();
  const int64_t H = c.n_heads, Q = c.key_width();
  const float scale = 1.0f / std::sqrt(static_cast<float>(Q));
  const auto [begin, end] = context.team.share(context.n_tokens() * H);
  for (int64_t item = begin; item < end; ++item) {
    float* q_Q = context.work.q_TP + item * Q;
    finish_head(context, {w.q_bias_P, w.q_norm_Q}, item / H, item % H, q_Q);
    for (int64_t i = 0; i < Q; ++i) q_Q[i] *= scale;
  }
}

// The few-token form for all tokens of one slice.
class FewTokens {
 public:
  FewTokens(const GqaContext& context, const Place& place)
      : context_(context), c_(context.common()), s_(context.work), place_(place) {}

  void run() {
    const Team& team = context_.team;
    const int64_t T = place_.slice.n_tokens, G = c_.n_kv_heads;
    // Where the heads divide evenly among the threads, each merges what it made itself.
    const bool is_by_head = G % team.pool.size() == 0;
    // As many tokens at a time as their stretches fit. A later token may have fewer, but longer ones.
    for (int64_t begin = 0, end = 0; begin < T; begin = end) {
      for (int64_t n = 0; end < T && (n += n_stretches(end)) <= GqaWorkspace::kStretches;) ++end;
      if (is_by_head) {
        const auto [first, last] = team.share(G);
        attend(begin, end, [&](int64_t item) { return item % G >= first && item % G < last; });
        merge(begin, end, [&](int64_t item) { return item % G >= first && item % G < last; });
      } else {
        const auto [first_part, last_part] = team.share(n_parts(begin, end) * G);
        attend(begin, end, [&](int64_t item) { return item >= first_part && item < last_part; });
        team.barrier();
        const auto [first, last] = team.share((end - begin) * G);
        merge(begin, end, [&](int64_t item) { return item >= first && item < last; });
      }
      team.barrier();
    }
  }

 private:
  int64_t positions_of(int64_t i) const { return place_.first_position() + i + 1; }
  int64_t n_stretches(int64_t i) const {
    const int64_t rows = stretch_rows(positions_of(i));
    return (positions_of(i) + rows - 1) / rows;
  }
  int64_t n_parts(int64_t begin, int64_t end) const {
    int64_t n = 0;
    for (int64_t i = begin; i < end; ++i) n += n_stretches(i);
    return n;
  }

  // Items are the stretches of the tokens [begin, end), each for all key-value heads.
  template <class IsMine>
  void attend(int64_t begin, int64_t end, const IsMine& is_mine) {
    const int64_t G = c_.n_kv_heads;
    int64_t part = 0;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t positions = positions_of(i), rows = stretch_rows(positions);
      for (int64_t row = 0; row < positions; row += rows, ++part) {
        for (int64_t g = 0; g < G; ++g) {
          if (is_mine(part * G + g)) attend_stretch(i, part, g, {row, std::min(row + rows, positions)});
        }
      }
    }
  }

  void attend_stretch(int64_t i, int64_t part, int64_t g, ThreadPool::Range rows) {
    const Cache& cache = *place_.slice.cache;
    const int64_t H = c_.n_heads, heads = H / c_.n_kv_heads, Q = c_.key_width(), V = c_.value_width;
    context_.team.k.group_attend({.q_HQ = s_.q_TP + ((place_.first_token + i) * H + g * heads) * Q,
                                  .n_heads = heads,
                                  .key_width = Q,
                                  .value_width = V,
                                  .cache_type = cache.type(),
                                  .rows = cache.row(context_.layer * c_.n_kv_heads + g, rows.begin),
                                  .row_bytes = cache.row_bytes(),
                                  .n_rows = rows.end - rows.begin,
                                  .out_HV = s_.part_out_HV + (part * H + g * heads) * V,
                                  .max_H = s_.part_max_H + part * H + g * heads,
                                  .sum_H = s_.part_sum_H + part * H + g * heads,
                                  .scratch = context_.mine().scratch});
  }

  // Items are the tokens [begin, end), each for all key-value heads.
  template <class IsMine>
  void merge(int64_t begin, int64_t end, const IsMine& is_mine) {
    const int64_t H = c_.n_heads, G = c_.n_kv_heads, heads = H / G, V = c_.value_width;
    int64_t part = 0;  // first stretch of token i
    for (int64_t i = begin; i < end; ++i) {
      float* o_HV = s_.o_TO + (place_.first_token + i) * H * V;
      for (int64_t g = 0; g < G; ++g) {
        if (!is_mine((i - begin) * G + g)) continue;
        kernels::merge_attention(n_stretches(i), H, V, s_.part_out_HV + part * H * V,
                                 s_.part_max_H + part * H, s_.part_sum_H + part * H, g * heads,
                                 (g + 1) * heads, o_HV);
        if (context_.config.residual_scale == 1) continue;
        for (int64_t v = g * heads * V; v < (g + 1) * heads * V; ++v)
          o_HV[v] *= context_.config.residual_scale;
      }
      part += n_stretches(i);
    }
  }

  const GqaContext& context_;
  const Config& c_;
  GqaWorkspace& s_;
  const Place& place_;
};

// The many-token form for all tokens of one slice.
class ManyTokens {
 public:
  ManyTokens(const GqaContext& context, const Place& place)
      : context_(context), c_(context.common()), s_(context.work), place_(place) {}

  void run() {
    const int64_t S = place_.n_positions(), H = c_.n_heads;
    const int64_t n_blocks = (n_tokens() + kernels::kExpandedTokens - 1) / kernels::kExpandedTokens;
    for (int64_t begin = 0; begin < S; begin += GqaWorkspace::kDecodedRows) {
      const int64_t n_rows = std::min(GqaWorkspace::kDecodedRows, S - begin);
      if (context_.team.is_first()) context_.team.pool.reset_items();
      decode_rows(begin, n_rows);
      context_.team.barrier();
      // The last blocks first: they see most. A block's sums are its own, so any thread may go on with them.
      for (int64_t item; (item = context_.team.pool.next_item()) < n_blocks * H;) {
        const Block block{item % H, (n_blocks - 1 - item / H) * kernels::kExpandedTokens};
        if (begin == 0) start(block);
        attend(block, begin, n_rows);
        if (begin + n_rows == S) normalise(block);
      }
      context_.team.barrier();
    }
  }

 private:
  struct Block {
    int64_t head, first_token;
  };
  int64_t n_tokens() const { return place_.slice.n_tokens; }
  int64_t n_tokens(const Block& block) const {
    return std::min(kernels::kExpandedTokens, n_tokens() - block.first_token);
  }
  float* out(const Block& block, int64_t t) const {
    return s_.o_TO + (place_.first_token + block.first_token + t) * c_.value_out_width() +
           block.head * c_.value_width;
  }
  float* max_of(const Block& block) const {
    return s_.softmax_max_HT + block.head * s_.max_tokens + block.first_token;
  }
  float* sum_of(const Block& block) const {
    return s_.softmax_sum_HT + block.head * s_.max_tokens + block.first_token;
  }
  int64_t row_width() const { return c_.key_width() + c_.value_width; }

  void decode_rows(int64_t begin, int64_t n_rows) {
    const Cache& cache = *place_.slice.cache;
    const int64_t G = c_.n_kv_heads;
    const auto [first, last] = context_.team.share(n_rows * G);
    for (int64_t item = first; item < last; ++item) {
      const int64_t g = item / n_rows, row = item % n_rows;
      kernels::decode_cache_row(cache.type(), cache.row(context_.layer * G + g, begin + row), row_width(),
                                s_.rows_GSX + (g * GqaWorkspace::kDecodedRows + row) * row_width());
    }
  }

  // A block of tokens meets the rows [begin, begin + n_rows) of its head.
  void attend(const Block& block, int64_t begin, int64_t n_rows) {
    const int64_t Q = c_.key_width(), g = block.head / (c_.n_heads / c_.n_kv_heads);
    const int64_t first_position = place_.first_position() + block.first_token;
    const int64_t n_seen = std::min(n_rows, first_position + n_tokens(block) - begin);
    const float* rows = s_.rows_GSX + g * GqaWorkspace::kDecodedRows * row_width();
    for (int64_t row = 0; row < n_seen; row += kernels::kExpandedRows) {
      context_.team.k.expanded_attend(
          {.q_TQ = s_.q_TP + (place_.first_token + block.first_token) * c_.query_width() + block.head * Q,
           .q_stride = c_.query_width(),
           .n_tokens = n_tokens(block),
           .key_width = Q,
           .value_width = c_.value_width,
           .k_SQ = rows + row * row_width(),
           .k_stride = row_width(),
           .v_SV = rows + row * row_width() + Q,
           .v_stride = row_width(),
           .n_rows = std::min(kernels::kExpandedRows, n_seen - row),
           .first_position = first_position,
           .first_key_position = begin + row,
           .out_TV = out(block, 0),
           .out_stride = c_.value_out_width(),
           .max_T = max_of(block),
           .sum_T = sum_of(block),
           .exact = place_.slice.cache->type() == TensorType::f32,
           .scratch = context_.mine().scratch});
    }
  }

  void start(const Block& block) {
    std::fill_n(max_of(block), n_tokens(block), -std::numeric_limits<float>::infinity());
    std::fill_n(sum_of(block), n_tokens(block), 0.0f);
    for (int64_t t = 0; t < n_tokens(block); ++t) std::fill_n(out(block, t), c_.value_width, 0.0f);
  }

  void normalise(const Block& block) {
    for (int64_t t = 0; t < n_tokens(block); ++t) {
      const float scale = context_.config.residual_scale / sum_of(block)[t];
      for (int64_t v = 0; v < c_.value_width; ++v) out(block, t)[v] *= scale;
    }
  }

  const GqaContext& context_;
  const Config& c_;
  GqaWorkspace& s_;
  const Place& place_;
};

}  // namespace

void gqa_attend(const GqaContext& context, const GqaLayer& w) {
  append_rows(context, w);
  finish_queries(context, w);
  context.team.barrier();
  context.trace("q", context.work.q_TP, context.common().query_width());
  for_each_slice(context.step, [&](const Place& place) {
    if (is_for_many(context.step, place.slice)) {
      ManyTokens(context, place).run();
    } else {
      FewTokens(context, place).run();
    }
  });
}

}  // namespace plm::model
