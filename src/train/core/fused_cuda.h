// The kernels behind cuda_passes.cpp: the loops of fused_cpu.h on a GPU of NVIDIA, one launch each. No torch
// here, so that nvcc has little to read.
//
// Pointers lie in the memory of the current device; `stream` is a cudaStream_t, in whose order the kernels
// run. Nothing is waited for; each returns the launch's error as cudaError_t, 0 for none. For T of float and
// Bf16 alike (fused_cpu.h); Bf16 are the bits of a bfloat16.
#pragma once

#include <cstdint>

#include "train/core/fused_cpu.h"

namespace plm::train::fused::cuda {

// `n_rows` rows of n numbers; x (and dx in the backward pass) lie `x_stride` numbers apart, all else is
// dense.
struct NormRows {
  int64_t n_rows = 0;
  int64_t n = 0;
  int64_t x_stride = 0;
  double eps = 0;
};

// B rows of T tokens, each of n_heads heads of `plain` numbers that are copied and 2 `half` that are rotated.
// Tokens of [B, T, H, Q] lie `token_stride` apart, heads of a token Q = plain + 2 half; the other side,
// [B, H, T, Q], has the strides of its batch, heads and tokens.
struct HeadRows {
  int64_t B = 0, T = 0, n_heads = 0, plain = 0, half = 0;
  int64_t token_stride = 0;
  int64_t stride_b = 0, stride_h = 0, stride_t = 0;
  Pairs pairs = Pairs::neighbours;
  const float* cosine = nullptr;  // [T, half]
  const float* sine = nullptr;
};

// [B, T, H, N + V] and [B, T, R] beside keys [B, H, T, N + R] and values [B, H, T, padded]; the strides are
// those of keys and values.
struct JoinRows {
  int64_t B = 0, T = 0, H = 0, N = 0, V = 0, R = 0, padded = 0;
  int64_t key_b = 0, key_h = 0, key_t = 0;
  int64_t value_b = 0, value_h = 0, value_t = 0;
};

// So many partial sums of dw does normalise_backward leave in `partial` [kNormParts, n]: the same for any
// GPU, so that the bits are.
inline constexpr int64_t kNormParts = 512;

// normalise: `sum` and `added` may both be null. normalise_backward: `dsum` may be null.
// softmax_losses: losses float64 [n_rows]; the rest as in fused_cpu.h, a row of label `ignored` gives zeros.
#define PLM_TRAIN_CUDA_KERNELS(T)                                                                            \
  int normalise(T* y, T* sum, float* scales, const T* x, const T* added, const T* w, const NormRows& rows,   \
                void* stream);                                                                               \
  int normalise_backward(T* dx, float* partial, const T* dy, const T* dsum, const T* x, const T* w,          \
                         const float* scales, const NormRows& rows, void* stream);                           \
  int square_live(T* y, const T* u, int64_t n, void* stream);                                                \
  int square_live_backward(T* du, const T* dy, const T* u, int64_t n, float penalty, void* stream);          \
  int gate(T* y, const T* g, const T* u, int64_t n, void* stream);                                           \
  int gate_backward(T* dg, T* du, const T* dy, const T* g, const T* u, int64_t n, void* stream);             \
  int rotate(T* out, const T* in, const HeadRows& rows, void* stream);                                       \
  int rotate_backward(T* din, const T* dout, const HeadRows& rows, void* stream);                            \
  int join(T* keys, T* values, const T* kv, const T* rope, const JoinRows& rows, void* stream);              \
  int join_backward(T* dkv, T* drope, const T* dkeys, const T* dvalues, const JoinRows& rows, void* stream); \
  int softmax_losses(T* logits, double* losses, const int64_t* labels, int64_t n_rows, int64_t n,            \
                     int64_t ignored, float weight, void* stream);                                           \
  int accumulate(float* sum, const T* x, int64_t n, void* stream);
PLM_TRAIN_CUDA_KERNELS(float)
PLM_TRAIN_CUDA_KERNELS(Bf16)
#undef PLM_TRAIN_CUDA_KERNELS

const char* error_text(int error);

}  // namespace plm::train::fused::cuda
