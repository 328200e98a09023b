#include "train/core/fused_cpu.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

// One text, compiled for AVX-512, AVX2 and the least that the architecture has; the loader chooses. Clang
// cannot multiply templates, so templates are inlined into one function for each type below.
#if defined(__x86_64__)
#define PLM_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PLM_CLONES
#endif
#define PLM_INLINE [[gnu::always_inline]] inline

namespace plm::train::fused {
namespace {

PLM_INLINE float load(float x) { return x; }
PLM_INLINE float load(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }
PLM_INLINE void store(float& out, float x) { out = x; }
PLM_INLINE void store(Bf16& out, float x) {  // to nearest, ties to even; a NaN stays one
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  out = static_cast<Bf16>((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

// exp(x) within 2 units in the last place for x in [-87, 88]; below, a number less than 2e-38. Branch-free,
// so that loops of it are vectorised.
PLM_INLINE float exponential(float x) {
  constexpr float kToBinary = 1.44269504F;
  constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  x = std::min(std::max(x, -87.0F), 88.0F);
  const float whole = (x * kToBinary + kMagic) - kMagic;
  const float rest = (x - whole * 0.693359375F) - whole * -2.12194440e-4F;
  float p = 1.9875691500e-4F;  // Cephes' expf
  p = p * rest + 1.3981999507e-3F;
  p = p * rest + 8.3334519073e-3F;
  p = p * rest + 4.1665795894e-2F;
  p = p * rest + 1.6666665459e-1F;
  p = p * rest + 5.0000001201e-1F;
  p = p * rest * rest + rest + 1.0F;
  const auto power = static_cast<uint32_t>(static_cast<int32_t>(whole) + 127) << 23;
  return p * std::bit_cast<float>(power);
}

PLM_INLINE float sigmoid(float x) { return 1.0F / (1.0F + exponential(-x)); }

template <class T>
PLM_INLINE float normalise_row(T* y, T* sum, const T* x, const T* added, const T* w, NormRow row) {
  if (added != nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < row.n; ++i) store(sum[i], load(x[i]) + load(added[i]));
    x = sum;
  }
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < row.n; ++i) squares += load(x[i]) * load(x[i]);
  const auto scale = static_cast<float>(
      1.0 / std::sqrt(static_cast<double>(squares) / static_cast<double>(row.n) + row.eps));
#pragma omp simd
  for (int64_t i = 0; i < row.n; ++i) store(y[i], load(x[i]) * scale * load(w[i]));
  return scale;
}

// With h = x scale: dx = scale (dy w - h mean(dy w h)), dw = dy h.
template <class T>
PLM_INLINE void normalise_row_backward(T* dx, float* dw, const T* dy, const T* dsum, const T* x, const T* w,
                                       float scale, int64_t n) {
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t i = 0; i < n; ++i) dot += load(dy[i]) * load(w[i]) * load(x[i]);
  const float slope = dot * scale * scale / static_cast<float>(n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) dw[i] += load(dy[i]) * load(x[i]) * scale;
  if (dsum == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) store(dx[i], scale * (load(dy[i]) * load(w[i]) - load(x[i]) * slope));
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i)
      store(dx[i], scale * (load(dy[i]) * load(w[i]) - load(x[i]) * slope) + load(dsum[i]));
  }
}

template <class T>
PLM_INLINE void rotate_heads(T* out, const T* in, const Heads& heads) {
  const int64_t half = heads.half;
  const bool neighbours = heads.pairs == Pairs::neighbours;
  for (int64_t head = 0; head < heads.n_heads; ++head) {
    const T* from = in + head * heads.stride_in;
    T* to = out + head * heads.stride_out;
    if (heads.plain > 0) std::memcpy(to, from, static_cast<size_t>(heads.plain) * sizeof(T));
    from += heads.plain;
    to += heads.plain;
    const int64_t step = neighbours ? 2 : 1;
    const int64_t apart = neighbours ? 1 : half;
#pragma omp simd
    for (int64_t i = 0; i < half; ++i) {
      const float first = load(from[i * step]);
      const float second = load(from[i * step + apart]);
      store(to[i], first * heads.cosine[i] - second * heads.sine[i]);
      store(to[half + i], first * heads.sine[i] + second * heads.cosine[i]);
    }
  }
}

template <class T>
PLM_INLINE void rotate_heads_backward(T* din, const T* dout, const Heads& heads) {
  const int64_t half = heads.half;
  const bool neighbours = heads.pairs == Pairs::neighbours;
  for (int64_t head = 0; head < heads.n_heads; ++head) {
    const T* from = dout + head * heads.stride_out;
    T* to = din + head * heads.stride_in;
    if (heads.plain > 0) std::memcpy(to, from, static_cast<size_t>(heads.plain) * sizeof(T));
    from += heads.plain;
    to += heads.plain;
    const int64_t step = neighbours ? 2 : 1;
    const int64_t apart = neighbours ? 1 : half;
#pragma omp simd
    for (int64_t i = 0; i < half; ++i) {
      const float first = load(from[i]);
      const float second = load(from[half + i]);
      store(to[i * step], first * heads.cosine[i] + second * heads.sine[i]);
      store(to[i * step + apart], second * heads.cosine[i] - first * heads.sine[i]);
    }
  }
}

template <class T>
PLM_INLINE void square_live_all(T* y, const T* u, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float live = std::max(load(u[i]), 0.0F);
    store(y[i], live * live);
  }
}

template <class T>
PLM_INLINE void square_live_all_backward(T* du, const T* dy, const T* u, int64_t n, float penalty) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float value = load(u[i]);
    store(du[i], value > 0 ? 2 * value * load(dy[i]) + penalty : 0.0F);
  }
}

template <class T>
PLM_INLINE void gate_all(T* y, const T* g, const T* u, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) store(y[i], load(g[i]) * sigmoid(load(g[i])) * load(u[i]));
}

template <class T>
PLM_INLINE void gate_all_backward(T* dg, T* du, const T* dy, const T* g, const T* u, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float value = load(g[i]);
    const float open = sigmoid(value);
    store(du[i], load(dy[i]) * value * open);
    store(dg[i], load(dy[i]) * load(u[i]) * open * (1 + value * (1 - open)));
  }
}

template <class T>
PLM_INLINE double softmax_row(T* logits, int64_t n, int64_t label, float weight, float* exponentials) {
  float top = load(logits[0]);
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < n; ++i) top = std::max(top, load(logits[i]));
  const float at_label = load(logits[label]);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    exponentials[i] = exponential(load(logits[i]) - top);
    sum += exponentials[i];
  }
  const float factor = weight / sum;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) store(logits[i], exponentials[i] * factor);
  store(logits[label], exponentials[label] * factor - weight);
  return std::log(static_cast<double>(sum)) + static_cast<double>(top) - static_cast<double>(at_label);
}

template <class T>
PLM_INLINE void add_all(float* sum, const T* x, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) sum[i] += load(x[i]);
}

template <class T>
PLM_INLINE void sum_all_rows(T* out, const T* in, int64_t n_rows, int64_t n, float* sums) {
  std::fill(sums, sums + n, 0.0F);
  for (int64_t row = 0; row < n_rows; ++row) add_all(sums, in + row * n, n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) store(out[i], sums[i]);
}

}  // namespace

#define PLM_TRAIN_FUSED(T)                                                                                 \
  PLM_CLONES float normalise(T* y, T* sum, const T* x, const T* added, const T* w, NormRow row) {          \
    return normalise_row(y, sum, x, added, w, row);                                                        \
  }                                                                                                        \
  PLM_CLONES void normalise_backward(T* dx, float* dw, const T* dy, const T* dsum, const T* x, const T* w, \
                                     float scale, int64_t n) {                                             \
    normalise_row_backward(dx, dw, dy, dsum, x, w, scale, n);                                              \
  }                                                                                                        \
  PLM_CLONES void rotate(T* out, const T* in, const Heads& heads) { rotate_heads(out, in, heads); }        \
  PLM_CLONES void rotate_backward(T* din, const T* dout, const Heads& heads) {                             \
    rotate_heads_backward(din, dout, heads);                                                               \
  }                                                                                                        \
  PLM_CLONES void square_live(T* y, const T* u, int64_t n) { square_live_all(y, u, n); }                   \
  PLM_CLONES void square_live_backward(T* du, const T* dy, const T* u, int64_t n, float penalty) {         \
    square_live_all_backward(du, dy, u, n, penalty);                                                       \
  }                                                                                                        \
  PLM_CLONES void gate(T* y, const T* g, const T* u, int64_t n) { gate_all(y, g, u, n); }                  \
  PLM_CLONES void gate_backward(T* dg, T* du, const T* dy, const T* g, const T* u, int64_t n) {            \
    gate_all_backward(dg, du, dy, g, u, n);                                                                \
  }                                                                                                        \
  PLM_CLONES double softmax_loss(T* logits, int64_t n, int64_t label, float weight, float* exponentials) { \
    return softmax_row(logits, n, label, weight, exponentials);                                            \
  }                                                                                                        \
  PLM_CLONES void accumulate(float* sum, const T* x, int64_t n) { add_all(sum, x, n); }                    \
  PLM_CLONES void sum_rows(T* out, const T* in, int64_t n_rows, int64_t n, float* sums) {                  \
    sum_all_rows(out, in, n_rows, n, sums);                                                                \
  }
PLM_TRAIN_FUSED(float)
PLM_TRAIN_FUSED(Bf16)
#undef PLM_TRAIN_FUSED

}  // namespace plm::train::fused
