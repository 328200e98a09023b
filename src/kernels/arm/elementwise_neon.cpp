#include <cmath>

#include "kernels/arm/neon.h"
#include "kernels/arm/simd_neon.h"

namespace plm::kernels::neon {

void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  float32x4_t sums[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const float32x4_t v = vld1q_f32(x + i + 4 * j);
      sums[j] = vfmaq_f32(sums[j], v, v);
    }
  }
  for (; i < n; i += 4) {
    const float32x4_t v = load_first(x + i, n - i);
    sums[0] = vfmaq_f32(sums[0], v, v);
  }
  const float total = vaddvq_f32(vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3])));
  const float scale = 1.0f / std::sqrt(total / static_cast<float>(n) + epsilon);
  for (i = 0; i < n; i += 4) {
    const float32x4_t v = vmulq_n_f32(load_first(x + i, n - i), scale);
    store_first(out + i, n - i, vmulq_f32(v, load_first(weight + i, n - i)));
  }
}

void rope(float* x, int64_t n, const float* cos_sin) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const float32x4x2_t v = vld2q_f32(x + i), turn = vld2q_f32(cos_sin + i);
    float32x4x2_t out;
    out.val[0] = vfmsq_f32(vmulq_f32(v.val[0], turn.val[0]), v.val[1], turn.val[1]);
    out.val[1] = vfmaq_f32(vmulq_f32(v.val[0], turn.val[1]), v.val[1], turn.val[0]);
    vst2q_f32(x + i, out);
  }
  for (; i < n; i += 2) {
    const float a = x[i], b = x[i + 1];
    x[i] = a * cos_sin[i] - b * cos_sin[i + 1];
    x[i + 1] = a * cos_sin[i + 1] + b * cos_sin[i];
  }
}

int64_t relu2(float* x, int64_t n, float threshold) {
  const float32x4_t least = vdupq_n_f32(threshold);
  int64_t n_live = 0;
  for (int64_t i = 0; i < n; i += 4) {
    const float32x4_t v = load_first(x + i, n - i);
    // Not a maximum: that would keep what is not a number.
    const float32x4_t square = vmulq_f32(v, v);
    const uint32x4_t live = vandq_u32(vcgtzq_f32(v), vcgtq_f32(square, least));
    n_live += vaddvq_u32(vshrq_n_u32(live, 31));
    store_first(x + i, n - i, vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(square), live)));
  }
  return n_live;
}

namespace {

// For each set of four lanes, the bytes of the lanes in the set, moved to the front.
struct Compression {
  uint8_t bytes[16][16];
};

constexpr Compression compression() {
  Compression table{};
  for (int set = 0; set < 16; ++set) {
    int at = 0;
    for (int lane = 0; lane < 4; ++lane) {
      if ((set >> lane & 1) == 0) continue;
      for (int b = 0; b < 4; ++b) table.bytes[set][at++] = static_cast<uint8_t>(4 * lane + b);
    }
  }
  return table;
}

constexpr Compression kCompression = compression();

}  // namespace

int64_t list_live(const float* x, int64_t n, int32_t* index, float* value) {
  static constexpr int32_t kLanes[4] = {0, 1, 2, 3};
  static constexpr uint32_t kBits[4] = {1, 2, 4, 8};
  const uint32x4_t bits = vld1q_u32(kBits);
  int32x4_t at = vld1q_s32(kLanes);
  int64_t count = 0, i = 0;
  // Four are stored where fewer may count: never past what was read, so never past the end.
  for (; i + 4 <= n; i += 4, at = vaddq_s32(at, vdupq_n_s32(4))) {
    const float32x4_t v = vld1q_f32(x + i);
    const uint32_t set = vaddvq_u32(vandq_u32(vcgtzq_f32(v), bits));
    if (set == 0) continue;
    const uint8x16_t order = vld1q_u8(kCompression.bytes[set]);
    vst1q_f32(value + count, vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(v), order)));
    vst1q_s32(index + count, vreinterpretq_s32_u8(vqtbl1q_u8(vreinterpretq_u8_s32(at), order)));
    count += __builtin_popcount(set);
  }
  for (; i < n; ++i) {
    if (!(x[i] > 0)) continue;
    index[count] = static_cast<int32_t>(i);
    value[count] = x[i];
    ++count;
  }
  return count;
}

namespace {

// Sixteen integers, each within a byte.
inline int8x16_t narrow(const int32x4_t* q) {
  return vcombine_s8(vmovn_s16(vcombine_s16(vmovn_s32(q[0]), vmovn_s32(q[1]))),
                     vmovn_s16(vcombine_s16(vmovn_s32(q[2]), vmovn_s32(q[3]))));
}

inline int32_t sum_of(const int32x4_t* q) {
  return vaddvq_s32(vaddq_s32(vaddq_s32(q[0], q[1]), vaddq_s32(q[2], q[3])));
}

}  // namespace

namespace {

// Block `block` of a token, whose numbers begin at x.
inline void quantize_block(const float* x, Activations& out, int64_t token, int64_t block) {
  const bool fine = out.precision == Precision::fine;
  const float largest_q = fine ? 32512.0f : 127.0f;
  const int64_t left = out.width - 32 * block;
  float32x4_t v[8];
  float32x4_t magnitude = vdupq_n_f32(0);
  for (int j = 0; j < 8; ++j) {
    v[j] = 4 * j < left ? load_first(x + 4 * j, left - 4 * j) : vdupq_n_f32(0);
    magnitude = vmaxq_f32(magnitude, vabsq_f32(v[j]));
  }
  const float largest = vmaxvq_f32(magnitude);
  const float inverse = largest > 1e-30f ? largest_q / largest : 0.0f;
  const int64_t at = block * out.pitch + token;
  out.scale[at] = inverse > 0 ? largest / largest_q : 0.0f;
  int32x4_t q[8];
  for (int j = 0; j < 8; ++j) q[j] = vcvtnq_s32_f32(vmulq_n_f32(v[j], inverse));
  out.set_sums(at, sum_of(q), sum_of(q + 4));
  if (fine) {
    int32x4_t low[8];
    for (int j = 0; j < 8; ++j) {
      // Rounded, so that what is left fits a signed byte.
      const int32x4_t high = vrshrq_n_s32(q[j], 8);
      low[j] = vsubq_s32(q[j], vshlq_n_s32(high, 8));
      q[j] = high;
    }
    vst1q_s8(out.low + 32 * at, narrow(low));
    vst1q_s8(out.low + 32 * at + 16, narrow(low + 4));
  }
  vst1q_s8(out.high + 32 * at, narrow(q));
  vst1q_s8(out.high + 32 * at + 16, narrow(q + 4));
}

}  // namespace

void quantize_token(const float* x, Activations& out, int64_t token) {
  for (int64_t block = 0; block < out.n_blocks(); ++block) quantize_block(x + 32 * block, out, token, block);
}

void quantize_blocks(const QuantizeBlocksArgs& args) {
  for (int64_t block = 0; block < args.n_blocks; ++block) {
    for (int64_t t = 0; t < args.n_tokens; ++t) {
      quantize_block(args.x + t * args.x_stride + 32 * block, *args.out, args.first_token + t,
                     args.first_block + block);
    }
  }
}

}  // namespace plm::kernels::neon
