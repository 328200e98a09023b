// Quantised products of 8-bit inputs with smmla: 2 rows x 8 columns times 8 columns x 2 tokens.
//
// The instruction wants eight columns of two tokens side by side, which the input is not. So the columns
// are taken in stretches of 16 blocks: up to 64 tokens of a stretch are interleaved in pairs once, and
// all groups of rows pass over that panel, adding to y stretch by stretch. A tile is one quad of rows x 4
// pairs of tokens: 8 float sums, each [row][token] of 2 x 2; 8 registers of codes; 4 of the pair at hand.
#include "kernels/arm/neon.h"
#include "kernels/arm/packed_codes.h"

namespace plm::kernels::neon_i8mm {
namespace {

using namespace neon;  // the shared vocabulary, internal to this file

constexpr int64_t kPanelTokens = 64, kPanelBlocks = 16;
constexpr int kTilePairs = 4;

// One block of two tokens.
struct PairBlock {
  int8_t q[64];         // [eight columns][token][8]
  float scale[4];       // of token 0, 1, 0, 1
  int32_t start[2][4];  // the same: what the offset of the codes takes off, of each part with one scale
  float sum[2][4];      // the same: scale times the sum of q, which the minimum takes off
};

struct Panel {
  PairBlock pair[kPanelTokens / 2][kPanelBlocks];
};

// One token's part; which = 0 or 1.
template <PackedFormat kFormat>
inline void put_token(const Activations& x, int64_t at, int which, PairBlock& out) {
#pragma GCC unroll 4
  for (int part = 0; part < 4; ++part) {
    vst1_s8(out.q + 16 * part + 8 * which, vld1_s8(x.high + 32 * at + 8 * part));
  }
  out.scale[which] = out.scale[which + 2] = x.scale[at];
  constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;
  for (int half = 0; half < kPerBlock; ++half) {
    const int32_t sum =
        kPerBlock == 2 ? x.half_sum[2 * at + half] : x.half_sum[2 * at] + x.half_sum[2 * at + 1];
    out.start[half][which] = out.start[half][which + 2] = -dot_offset(kFormat) * sum;
    out.sum[half][which] = out.sum[half][which + 2] = x.scale[at] * static_cast<float>(sum);
  }
}

// Tokens first .. first + n_tokens - 1 of the call, blocks first_block .. first_block + n_blocks - 1. A
// token that is missing from the last pair is zero.
template <PackedFormat kFormat>
void fill_panel(const MatmulArgs& args, int64_t first, int64_t n_tokens, int64_t first_block,
                int64_t n_blocks, Panel& panel) {
  const Activations& x = *args.x;
  for (int64_t t = 0; t < n_tokens; ++t) {
    const int64_t token = args.first_token + (first + t) * args.token_stride;
    for (int64_t b = 0; b < n_blocks; ++b) {
      PairBlock& out = panel.pair[t / 2][b];
      if (t % 2 == 0 && t + 1 == n_tokens) std::memset(&out, 0, sizeof out);
      put_token<kFormat>(x, (first_block + b) * x.pitch + token, static_cast<int>(t % 2), out);
    }
  }
}

// The codes of two rows of a quad side by side: eight columns of each.
[[gnu::always_inline]] inline void pair_rows(const int8x16_t (&codes)[8], int8x16_t (&rows01)[4],
                                             int8x16_t (&rows23)[4]) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const int32x4_t a = vreinterpretq_s32_s8(codes[2 * i]), b = vreinterpretq_s32_s8(codes[2 * i + 1]);
    rows01[i] = vreinterpretq_s8_s32(vzip1q_s32(a, b));
    rows23[i] = vreinterpretq_s8_s32(vzip2q_s32(a, b));
  }
}

// One block of two rows times a pair of tokens. scale and minimum: of row 0, 0, 1, 1.
template <TensorType kType>
[[gnu::always_inline]] inline float32x4_t add_block(float32x4_t sum, const int8x16_t (&rows)[4],
                                                    const int8x16_t (&x)[4], const PairBlock& pair,
                                                    const float32x4_t* scale, const float32x4_t* minimum) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;
  const float32x4_t x_scale = vld1q_f32(pair.scale);
#pragma GCC unroll 2
  for (int half = 0; half < kPerBlock; ++half) {
    int32x4_t product = dot_offset(kFormat) == 0 ? vdupq_n_s32(0) : vld1q_s32(pair.start[half]);
#pragma GCC unroll 4
    for (int i = 0; i < 4 / kPerBlock; ++i) {
      product = vmmlaq_s32(product, rows[4 / kPerBlock * half + i], x[4 / kPerBlock * half + i]);
    }
    sum = vfmaq_f32(sum, vcvtq_f32_s32(product), vmulq_f32(scale[half], x_scale));
    if constexpr (kFormat.has_minimum()) {
      sum = vfmsq_f32(sum, minimum[half], vld1q_f32(pair.sum[half]));
    }
  }
  return sum;
}

// What is added to y: rows of one quad of a group, tokens from `first` of the call on.
struct Target {
  int64_t row, first, n_tokens;
  bool add;  // to what y holds
};

inline void store_pair(const MatmulArgs& args, const Target& target, int64_t pair, float32x4_t rows01,
                       float32x4_t rows23) {
  const float32x4_t tokens[2] = {vuzp1q_f32(rows01, rows23), vuzp2q_f32(rows01, rows23)};
  const int64_t n = args.weight->rows - target.row;
  for (int64_t t = 2 * pair; t < 2 * pair + 2 && t < target.n_tokens; ++t) {
    float* y = args.y + (target.first + t) * args.y_stride + target.row;
    store_first(y, n, target.add ? vaddq_f32(tokens[t % 2], load_first(y, n)) : tokens[t % 2]);
  }
}

// kPairs pairs from first_pair on; p: where the stretch begins in the group's stream.
template <TensorType kType, int kPairs>
void tile_to_memory(const MatmulArgs& args, const std::byte* p, int quad, int64_t n_blocks,
                    const Panel& panel, int64_t first_pair, const Target& target) {
  constexpr PackedFormat kFormat = packed_format(kType);
  constexpr int kPerBlock = kFormat.scale_per_16() ? 2 : 1;
  float32x4_t sums[kPairs][2];
#pragma GCC unroll 8
  for (int i = 0; i < kPairs; ++i) sums[i][0] = sums[i][1] = vdupq_n_f32(0);
  Scales<kType, 1> scales(quad);
  for (int64_t b = 0; b < n_blocks; ++b, p += kFormat.block_bytes()) {
    if (b % kFormat.blocks_per_unit() == 0) {
      scales.load_unit(p);
      p += kFormat.header_bytes();
    }
    scales.load_block(p);
    float32x4_t scale[2][kPerBlock], minimum[2][kPerBlock];
#pragma GCC unroll 2
    for (int half = 0; half < kPerBlock; ++half) {
      scale[0][half] = vzip1q_f32(scales.scale[half][0], scales.scale[half][0]);
      scale[1][half] = vzip2q_f32(scales.scale[half][0], scales.scale[half][0]);
      if constexpr (kFormat.has_minimum()) {
        minimum[0][half] = vzip1q_f32(scales.minimum[half][0], scales.minimum[half][0]);
        minimum[1][half] = vzip2q_f32(scales.minimum[half][0], scales.minimum[half][0]);
      }
    }
    int8x16_t codes[8], rows01[4], rows23[4];
    load_codes<kFormat.codes>(p + kFormat.scale_bytes() + 16 * quad, codes);
    pair_rows(codes, rows01, rows23);
#pragma GCC unroll 8
    for (int i = 0; i < kPairs; ++i) {
      const PairBlock& pair = panel.pair[first_pair + i][b];
      int8x16_t x[4];
#pragma GCC unroll 4
      for (int part = 0; part < 4; ++part) x[part] = vld1q_s8(pair.q + 16 * part);
      sums[i][0] = add_block<kType>(sums[i][0], rows01, x, pair, scale[0], minimum[0]);
      sums[i][1] = add_block<kType>(sums[i][1], rows23, x, pair, scale[1], minimum[1]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kPairs; ++i) store_pair(args, target, first_pair + i, sums[i][0], sums[i][1]);
}

template <TensorType kType>
void all_tiles(const MatmulArgs& args) {
  constexpr PackedFormat kFormat = packed_format(kType);
  const int64_t n_blocks = args.x->n_blocks();
  Panel panel;
  for (int64_t first = 0; first < args.n_tokens; first += kPanelTokens) {
    const int64_t left = args.n_tokens - first, n_tokens = left < kPanelTokens ? left : kPanelTokens;
    for (int64_t block = 0; block < n_blocks; block += kPanelBlocks) {
      const int64_t n = n_blocks - block < kPanelBlocks ? n_blocks - block : kPanelBlocks;
      fill_panel<kFormat>(args, first, n_tokens, block, n, panel);
      const int64_t offset = block / kFormat.blocks_per_unit() * kFormat.unit_bytes();
      for (int64_t group = args.group_begin; group < args.group_end; ++group) {
        const std::byte* p = args.weight->group(group) + offset;
        for (int quad = 0; quad < 4; ++quad) {
          const Target target{group * kGroupRows + 4 * quad, first, n_tokens, args.add || block > 0};
          if (target.row >= args.weight->rows) break;
          const int64_t n_pairs = (n_tokens + 1) / 2;
          int64_t pair = 0;
          for (; pair + kTilePairs <= n_pairs; pair += kTilePairs) {
            tile_to_memory<kType, kTilePairs>(args, p, quad, n, panel, pair, target);
          }
          for (; pair < n_pairs; ++pair) tile_to_memory<kType, 1>(args, p, quad, n, panel, pair, target);
        }
      }
    }
  }
}

}  // namespace

void matmul(const MatmulArgs& args) {
  if (args.x->precision == Precision::fine) return neon_dotprod::matmul(args);
  const bool quantised =
      with_quantised_type(args.weight->type, [&]<TensorType kType>() { all_tiles<kType>(args); });
  if (!quantised) matmul_plain(args);
}

}  // namespace plm::kernels::neon_i8mm
