// Attention in float32 on NEON. Latent: 16 heads are the lanes of four registers when scores are summed,
// so that a cached row is read once for all of them; the numbers of a row are the lanes when values are.
// Expanded: positions, then values, are the lanes.
#include "kernels/arm/attention_tiles_neon.h"
#include "kernels/arm/neon.h"
#include "kernels/cache_row.h"

namespace plm::kernels::neon {
namespace {

constexpr int64_t kHeads = 16;  // at a time

template <TensorType kType>
void load_row(const std::byte* row, int64_t width, float* out) {
  constexpr int64_t kSize = kType == TensorType::f32 ? 4 : 2;
  int64_t i = 0;
  for (; i + 4 <= width; i += 4) vst1q_f32(out + i, load_numbers<kType>(row + i * kSize));
  if (i == width) return;
  std::byte last[4 * kSize] = {};
  std::memcpy(last, row + i * kSize, static_cast<size_t>((width - i) * kSize));
  vst1q_f32(out + i, load_numbers<kType>(last));
}

// Decodes a row of the cache into floats, padded with zeros to a multiple of four.
void load_row(TensorType type, const std::byte* row, int64_t width, float* out) {
  switch (type) {
    case TensorType::f32:
      return load_row<TensorType::f32>(row, width, out);
    case TensorType::f16:
      return load_row<TensorType::f16>(row, width, out);
    case TensorType::bf16:
      return load_row<TensorType::bf16>(row, width, out);
    default:
      decode_cache_row(type, row, width, out);
      for (int64_t i = width; i % 4 != 0; ++i) out[i] = 0;
  }
}

struct Scratch {
  float* rows_SE;
  int64_t row_stride;
  float* scores_SH;
  float* weights_HS;
  int64_t weight_stride;
  float* q_EH;
};

// Up to 16 heads, starting at head h0.
void attend_heads(const LatentAttendArgs& args, int64_t h0, int64_t n_heads, const Scratch& at) {
  const int64_t C = args.latent_width, E = C + args.rope_width;
  transpose(args.q_HE + h0 * E, E, n_heads, E, at.q_EH, kHeads);
  // scores[s][h] = sum over e of row[s][e] q[e][h]
  panel_product({.a = at.rows_SE,
                 .a_stride = at.row_stride,
                 .b = at.q_EH,
                 .b_stride = kHeads,
                 .n_k = E,
                 .c = at.scores_SH,
                 .c_stride = kHeads},
                args.n_rows, (n_heads + 3) / 4 * 4);
  for (int64_t h = 0; h < n_heads; h += 4) {
    float* scores = at.scores_SH + h;
    float32x4_t largest = vld1q_f32(scores);
    for (int64_t s = 1; s < args.n_rows; ++s) largest = vmaxq_f32(largest, vld1q_f32(scores + kHeads * s));
    float32x4_t sum = vdupq_n_f32(0);
    for (int64_t s = 0; s < args.n_rows; ++s) {
      const float32x4_t weight = exp(vsubq_f32(vld1q_f32(scores + kHeads * s), largest));
      sum = vaddq_f32(sum, weight);
      vst1q_f32(scores + kHeads * s, weight);
    }
    store_first(args.max_H + h0 + h, n_heads - h, largest);
    store_first(args.sum_H + h0 + h, n_heads - h, sum);
  }
  transpose(at.scores_SH, kHeads, args.n_rows, n_heads, at.weights_HS, at.weight_stride);
  // out[h][c] = sum over s of weight[h][s] row[s][c]
  panel_product({.a = at.weights_HS,
                 .a_stride = at.weight_stride,
                 .b = at.rows_SE,
                 .b_stride = at.row_stride,
                 .n_k = args.n_rows,
                 .c = args.out_HC + h0 * C,
                 .c_stride = C},
                n_heads, C);
}

}  // namespace

void latent_attend(const LatentAttendArgs& args) {
  const int64_t E = args.latent_width + args.rope_width;
  const int64_t padded_rows = (args.n_rows + 31) / 32 * 32;
  Scratch at;
  at.row_stride = (E + 31) / 32 * 32;
  at.weight_stride = padded_rows;
  at.rows_SE = reinterpret_cast<float*>(args.scratch);
  at.scores_SH = at.rows_SE + padded_rows * at.row_stride;
  at.weights_HS = at.scores_SH + padded_rows * kHeads;
  at.q_EH = at.weights_HS + padded_rows * kHeads;
  for (int64_t s = 0; s < args.n_rows; ++s) {
    load_row(args.cache_type, args.rows + s * args.row_bytes, E, at.rows_SE + s * at.row_stride);
  }
  for (int64_t h = 0; h < args.n_heads; h += kHeads) {
    attend_heads(args, h, args.n_heads - h < kHeads ? args.n_heads - h : kHeads, at);
  }
}

void expanded_attend(const ExpandedAttendArgs& args) {
  const int64_t Q = args.key_width, V = args.value_width;
  const int64_t n_padded = (args.n_rows + 3) / 4 * 4;
  auto* k_QS = reinterpret_cast<float*>(args.scratch);
  float* scores_TS = k_QS + (Q + 3) / 4 * 4 * kExpandedRows;
  float* keep_T = scores_TS + kExpandedTokens * kExpandedRows;
  transpose(args.k_SQ, args.k_stride, args.n_rows, Q, k_QS, kExpandedRows);
  panel_product({.a = args.q_TQ,
                 .a_stride = args.q_stride,
                 .b = k_QS,
                 .b_stride = kExpandedRows,
                 .n_k = Q,
                 .c = scores_TS,
                 .c_stride = kExpandedRows},
                args.n_tokens, n_padded);
  for (int64_t t = 0; t < args.n_tokens; ++t) {
    int64_t visible = args.first_position + t - args.first_key_position + 1;
    visible = visible < 0 ? 0 : (visible > args.n_rows ? args.n_rows : visible);
    float* scores = scores_TS + t * kExpandedRows;
    if (visible == 0) {
      keep_T[t] = 1;
      for (int64_t s = 0; s < n_padded; ++s) scores[s] = 0;
    } else {
      keep_T[t] = softmax_step(scores, visible, n_padded, args.max_T[t], args.sum_T[t]);
    }
  }
  // Whole registers of values where they lie; the last few are copied, or they would be read past the end.
  const int64_t whole = V / 4 * 4;
  Panel values{.a = scores_TS,
               .a_stride = kExpandedRows,
               .b = args.v_SV,
               .b_stride = args.v_stride,
               .n_k = args.n_rows,
               .c = args.out_TV,
               .c_stride = args.out_stride,
               .scale = keep_T};
  panel_product(values, args.n_tokens, whole);
  if (whole == V) return;
  float* v_S4 = k_QS;  // the keys are done with
  for (int64_t s = 0; s < args.n_rows; ++s) {
    vst1q_f32(v_S4 + 4 * s, load_first(args.v_SV + s * args.v_stride + whole, V - whole));
  }
  values.b = v_S4;
  values.b_stride = 4;
  values.c += whole;
  panel_product(values, args.n_tokens, V - whole);
}

}  // namespace plm::kernels::neon
