#include <cmath>

#include "kernels/x86/avx512.h"
#include "kernels/x86/simd_avx512.h"

namespace plm::kernels::avx512 {

void rms_norm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  __m512 sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (int64_t i = 0; i < n; i += 16) {
    const __m512 v = _mm512_maskz_loadu_ps(tail_mask(n - i), x + i);
    sums[i / 16 & 1] = _mm512_fmadd_ps(v, v, sums[i / 16 & 1]);
  }
  const float mean = _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1])) / static_cast<float>(n);
  const __m512 scale = _mm512_set1_ps(1.0f / std::sqrt(mean + epsilon));
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = tail_mask(n - i);
    const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale);
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, weight + i)));
  }
}

int64_t relu2(float* x, int64_t n, float threshold) {
  const __m512 least = _mm512_set1_ps(threshold);
  int64_t n_live = 0;
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = tail_mask(n - i);
    const __m512 v = _mm512_max_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_setzero_ps());
    const __m512 square = _mm512_mul_ps(v, v);
    const __mmask16 live = _mm512_cmp_ps_mask(square, least, _CMP_GT_OQ);
    n_live += __builtin_popcount(live);
    _mm512_mask_storeu_ps(x + i, mask, _mm512_maskz_mov_ps(live, square));
  }
  return n_live;
}

int64_t list_live(const float* x, int64_t n, int32_t* index, float* value) {
  int64_t count = 0;
  __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (int64_t i = 0; i < n; i += 16) {
    const __m512 v = _mm512_maskz_loadu_ps(tail_mask(n - i), x + i);
    const __mmask16 live = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GT_OQ);
    // Compressed in a register: compressing stores are slow on some CPUs.
    const int n_live = __builtin_popcount(live);
    const __mmask16 store = static_cast<__mmask16>((1u << n_live) - 1);
    _mm512_mask_storeu_ps(value + count, store, _mm512_maskz_compress_ps(live, v));
    _mm512_mask_storeu_epi32(index + count, store, _mm512_maskz_compress_epi32(live, at));
    count += n_live;
    at = _mm512_add_epi32(at, _mm512_set1_epi32(16));
  }
  return count;
}

namespace {

// Block `block` of a token, whose numbers begin at x.
inline void quantize_block(const float* x, Activations& out, int64_t token, int64_t block) {
  const bool fine = out.precision == Precision::fine;
  const float largest_q = fine ? 32512.0f : 127.0f;
  const int64_t left = out.width - 32 * block;
  const __m512 v0 = _mm512_maskz_loadu_ps(tail_mask(left), x);
  const __m512 v1 = left > 16 ? _mm512_maskz_loadu_ps(tail_mask(left - 16), x + 16) : _mm512_setzero_ps();
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(v0), _mm512_abs_ps(v1)));
  const float inverse = largest > 1e-30f ? largest_q / largest : 0.0f;
  const int64_t at = block * out.pitch + token;
  out.scale[at] = inverse > 0 ? largest / largest_q : 0.0f;
  const __m512i q0 = _mm512_cvtps_epi32(_mm512_mul_ps(v0, _mm512_set1_ps(inverse)));
  const __m512i q1 = _mm512_cvtps_epi32(_mm512_mul_ps(v1, _mm512_set1_ps(inverse)));
  out.set_sums(at, _mm512_reduce_add_epi32(q0), _mm512_reduce_add_epi32(q1));
  __m512i high0 = q0, high1 = q1;
  if (fine) {
    const __m512i half = _mm512_set1_epi32(128);
    high0 = _mm512_srai_epi32(_mm512_add_epi32(q0, half), 8);
    high1 = _mm512_srai_epi32(_mm512_add_epi32(q1, half), 8);
    auto* low = reinterpret_cast<__m128i*>(out.low + 32 * at);
    _mm_storeu_si128(low, _mm512_cvtepi32_epi8(_mm512_sub_epi32(q0, _mm512_slli_epi32(high0, 8))));
    _mm_storeu_si128(low + 1, _mm512_cvtepi32_epi8(_mm512_sub_epi32(q1, _mm512_slli_epi32(high1, 8))));
  }
  auto* high = reinterpret_cast<__m128i*>(out.high + 32 * at);
  _mm_storeu_si128(high, _mm512_cvtepi32_epi8(high0));
  _mm_storeu_si128(high + 1, _mm512_cvtepi32_epi8(high1));
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

}  // namespace plm::kernels::avx512
