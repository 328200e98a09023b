#include <cmath>

#include "kernels/x86/avx2.h"
#include "kernels/x86/simd_avx2.h"

namespace plm::kernels::avx2 {
namespace {

// For each set of lanes of eight, the lanes in order, then anything.
struct CompressTable {
  uint8_t lanes[256][8];
};

constexpr CompressTable make_compress_table() {
  CompressTable table{};
  for (int set = 0; set < 256; ++set) {
    int n = 0;
    for (int lane = 0; lane < 8; ++lane) {
      if (set >> lane & 1) table.lanes[set][n++] = static_cast<uint8_t>(lane);
    }
  }
  return table;
}

constexpr CompressTable kCompress = make_compress_table();

// Numbers within -128..127 as bytes, in order.
inline void store_bytes(const __m256i (&q)[4], int8_t* out) {
  const __m256i a = _mm256_packs_epi32(q[0], q[1]), b = _mm256_packs_epi32(q[2], q[3]);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                      _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order));
}

}  // namespace

void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (int64_t i = 0; i < n; i += 8) {
    const __m256 v = _mm256_maskload_ps(x + i, tail_mask(n - i));
    sums[i / 8 & 1] = _mm256_fmadd_ps(v, v, sums[i / 8 & 1]);
  }
  const float mean = sum_of_lanes(_mm256_add_ps(sums[0], sums[1])) / static_cast<float>(n);
  const __m256 scale = _mm256_set1_ps(1.0f / std::sqrt(mean + epsilon));
  for (int64_t i = 0; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i);
    const __m256 v = _mm256_mul_ps(_mm256_maskload_ps(x + i, mask), scale);
    _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(v, _mm256_maskload_ps(weight + i, mask)));
  }
}

void rope(float* x, int64_t n, const float* cos_sin) {
  for (int64_t i = 0; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i);
    const __m256 ab = _mm256_maskload_ps(x + i, mask);
    const __m256 turn = _mm256_maskload_ps(cos_sin + i, mask);
    const __m256 ba = _mm256_permute_ps(ab, 0xb1);
    const __m256 sine_part = _mm256_mul_ps(ba, _mm256_movehdup_ps(turn));
    // a cos - b sin, b cos + a sin
    _mm256_maskstore_ps(x + i, mask, _mm256_fmaddsub_ps(ab, _mm256_moveldup_ps(turn), sine_part));
  }
}

int64_t relu2(float* x, int64_t n, float threshold) {
  const __m256 least = _mm256_set1_ps(threshold);
  int64_t n_live = 0;
  for (int64_t i = 0; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i);
    const __m256 v = _mm256_max_ps(_mm256_maskload_ps(x + i, mask), _mm256_setzero_ps());
    const __m256 square = _mm256_mul_ps(v, v);
    const __m256 live = _mm256_cmp_ps(square, least, _CMP_GT_OQ);
    n_live += __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(live)));
    _mm256_maskstore_ps(x + i, mask, _mm256_and_ps(square, live));
  }
  return n_live;
}

int64_t list_live(const float* x, int64_t n, int32_t* index, float* value) {
  int64_t count = 0, i = 0;
  __m256i at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  for (; i + 8 <= n; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    const int live = _mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GT_OQ));
    const __m256i lanes =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(kCompress.lanes[live])));
    // Eight are stored, of which the next stores overwrite those not live: count <= i leaves the room.
    _mm256_storeu_ps(value + count, _mm256_permutevar8x32_ps(v, lanes));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(index + count), _mm256_permutevar8x32_epi32(at, lanes));
    count += __builtin_popcount(static_cast<unsigned>(live));
    at = _mm256_add_epi32(at, _mm256_set1_epi32(8));
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

// Block `block` of a token, whose numbers begin at x.
inline void quantize_block(const float* x, Activations& out, int64_t token, int64_t block) {
  const bool fine = out.precision == Precision::fine;
  const float largest_q = fine ? 32512.0f : 127.0f;
  const __m256 sign_bit = _mm256_set1_ps(-0.0f);
  const int64_t left = out.width - 32 * block;
  __m256 v[4];
  __m256 magnitude = _mm256_setzero_ps();
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = 8 * i < left ? _mm256_maskload_ps(x + 8 * i, tail_mask(left - 8 * i)) : _mm256_setzero_ps();
    magnitude = _mm256_max_ps(magnitude, _mm256_andnot_ps(sign_bit, v[i]));
  }
  const float largest = largest_of_lanes(magnitude);
  const float inverse = largest > 1e-30f ? largest_q / largest : 0.0f;
  const int64_t at = block * out.pitch + token;
  out.scale[at] = inverse > 0 ? largest / largest_q : 0.0f;
  __m256i q[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], _mm256_set1_ps(inverse)));
  out.set_sums(at, sum_of_lanes(_mm256_add_epi32(q[0], q[1])), sum_of_lanes(_mm256_add_epi32(q[2], q[3])));
  if (fine) {
    __m256i low[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m256i high = _mm256_srai_epi32(_mm256_add_epi32(q[i], _mm256_set1_epi32(128)), 8);
      low[i] = _mm256_sub_epi32(q[i], _mm256_slli_epi32(high, 8));
      q[i] = high;
    }
    store_bytes(low, out.low + 32 * at);
  }
  store_bytes(q, out.high + 32 * at);
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

}  // namespace plm::kernels::avx2
