#include "train/core/fused_cuda.h"

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <initializer_list>

namespace plm::train::fused::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffU;
// Blocks of a loop over a whole buffer: enough to fill any GPU several times.
constexpr int64_t kMaxBlocks = 4096;
// Shared memory that a kernel has without asking for more.
constexpr int64_t kSharedBytes = 48 << 10;

__device__ float load(float x) { return x; }
__device__ float load(Bf16 x) { return __uint_as_float(static_cast<unsigned>(x) << 16); }
__device__ void store(float& out, float x) { out = x; }
__device__ void store(Bf16& out, float x) { out = __bfloat16_as_ushort(__float2bfloat16_rn(x)); }

// Numbers that are read and written in one piece: 16 bytes, or one number where rows do not allow more.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
  static constexpr int kSize = N;
};
template <class T>
using Wide = Pack<T, 16 / sizeof(T)>;
template <class T>
using Single = Pack<T, 1>;

template <class P, class T>
__device__ P read(const T* from) {
  return *reinterpret_cast<const P*>(from);
}
template <class P, class T>
__device__ void write(T* to, const P& pack) {
  *reinterpret_cast<P*>(to) = pack;
}

// The sum of x over the block, in every thread. `space`: one float a warp.
__device__ float sum_of_block(float x, float* space) {
  for (int apart = kWarp / 2; apart > 0; apart /= 2) x += __shfl_xor_sync(kAllLanes, x, apart);
  const int warp = threadIdx.x / kWarp;
  const int n_warps = blockDim.x / kWarp;
  if (threadIdx.x % kWarp == 0) space[warp] = x;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < n_warps; ++i) sum += space[i];
  __syncthreads();
  return sum;
}

__device__ float max_of_block(float x, float* space) {
  // Not fmaxf: a NaN must stay one.
  const auto larger = [](float a, float b) { return a > b || a != a ? a : b; };
  for (int apart = kWarp / 2; apart > 0; apart /= 2) x = larger(x, __shfl_xor_sync(kAllLanes, x, apart));
  const int warp = threadIdx.x / kWarp;
  const int n_warps = blockDim.x / kWarp;
  if (threadIdx.x % kWarp == 0) space[warp] = x;
  __syncthreads();
  float top = space[0];
  for (int i = 1; i < n_warps; ++i) top = larger(top, space[i]);
  __syncthreads();
  return top;
}

// Calls f(Wide or Single pack type, pack index) over n numbers of the whole grid.
template <class P, class F>
__device__ void for_packs(int64_t n, F&& f) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n / P::kSize; i += stride)
    f(i * P::kSize);
}

// ---- norms ------------------------------------------------------------------------------------------------

template <class P, class T>
__global__ void normalise_kernel(T* y, T* sum, float* scales, const T* x, const T* added, const T* w,
                                 NormRows rows) {
  __shared__ float space[kThreads / kWarp];
  const int64_t row = blockIdx.x;
  const int64_t n = rows.n;
  const T* in = x + row * rows.x_stride;
  float squares = 0;
  for (int64_t i = threadIdx.x * P::kSize; i < n; i += kThreads * P::kSize) {
    P pack = read<P>(in + i);
    if (added != nullptr) {
      const P more = read<P>(added + row * n + i);
      for (int k = 0; k < P::kSize; ++k) store(pack.at[k], load(pack.at[k]) + load(more.at[k]));
      write(sum + row * n + i, pack);
    }
    for (int k = 0; k < P::kSize; ++k) squares += load(pack.at[k]) * load(pack.at[k]);
  }
  squares = sum_of_block(squares, space);
  const auto scale =
      static_cast<float>(1.0 / sqrt(static_cast<double>(squares) / static_cast<double>(n) + rows.eps));
  if (threadIdx.x == 0) scales[row] = scale;
  const T* from = added != nullptr ? sum + row * n : in;  // a thread reads what it wrote itself
  for (int64_t i = threadIdx.x * P::kSize; i < n; i += kThreads * P::kSize) {
    P pack = read<P>(from + i);
    const P weight = read<P>(w + i);
    for (int k = 0; k < P::kSize; ++k) store(pack.at[k], load(pack.at[k]) * scale * load(weight.at[k]));
    write(y + row * n + i, pack);
  }
}

// A block takes every kNormParts-th row and sums dw over them; a thread owns its columns.
template <class P, class T>
__global__ void normalise_backward_kernel(T* dx, float* partial, const T* dy, const T* dsum, const T* x,
                                          const T* w, const float* scales, NormRows rows, bool in_shared) {
  extern __shared__ float shared[];
  __shared__ float space[kThreads / kWarp];
  const int64_t n = rows.n;
  float* out = partial + blockIdx.x * n;
  float* dw = in_shared ? shared : out;
  for (int64_t i = threadIdx.x * P::kSize; i < n; i += kThreads * P::kSize) {
    for (int k = 0; k < P::kSize; ++k) dw[i + k] = 0;
  }
  for (int64_t row = blockIdx.x; row < rows.n_rows; row += kNormParts) {
    const T* in = x + row * rows.x_stride;
    float dot = 0;
    for (int64_t i = threadIdx.x * P::kSize; i < n; i += kThreads * P::kSize) {
      const P value = read<P>(in + i), gradient = read<P>(dy + row * n + i), weight = read<P>(w + i);
      for (int k = 0; k < P::kSize; ++k) dot += load(gradient.at[k]) * load(weight.at[k]) * load(value.at[k]);
    }
    dot = sum_of_block(dot, space);
    const float scale = scales[row];
    const float slope = dot * scale * scale / static_cast<float>(n);
    for (int64_t i = threadIdx.x * P::kSize; i < n; i += kThreads * P::kSize) {
      const P value = read<P>(in + i), gradient = read<P>(dy + row * n + i), weight = read<P>(w + i);
      P result = value;
      P more = value;
      if (dsum != nullptr) more = read<P>(dsum + row * n + i);
      for (int k = 0; k < P::kSize; ++k) {
        dw[i + k] += load(gradient.at[k]) * load(value.at[k]) * scale;
        const float d = scale * (load(gradient.at[k]) * load(weight.at[k]) - load(value.at[k]) * slope);
        store(result.at[k], dsum != nullptr ? d + load(more.at[k]) : d);
      }
      write(dx + row * rows.x_stride + i, result);
    }
  }
  if (!in_shared) return;
  for (int64_t i = threadIdx.x * P::kSize; i < n; i += kThreads * P::kSize) {
    for (int k = 0; k < P::kSize; ++k) out[i + k] = dw[i + k];
  }
}

// ---- neurons ----------------------------------------------------------------------------------------------

template <class P, class T>
__global__ void square_live_kernel(T* y, const T* u, int64_t n) {
  for_packs<P>(n, [&](int64_t i) {
    P pack = read<P>(u + i);
    for (int k = 0; k < P::kSize; ++k) {
      const float value = load(pack.at[k]);
      const float live = value > 0 || value != value ? value : 0.0F;
      store(pack.at[k], live * live);
    }
    write(y + i, pack);
  });
}

template <class P, class T>
__global__ void square_live_backward_kernel(T* du, const T* dy, const T* u, int64_t n, float penalty) {
  for_packs<P>(n, [&](int64_t i) {
    P pack = read<P>(u + i);
    const P gradient = read<P>(dy + i);
    for (int k = 0; k < P::kSize; ++k) {
      const float value = load(pack.at[k]);
      store(pack.at[k], value > 0 ? 2 * value * load(gradient.at[k]) + penalty : 0.0F);
    }
    write(du + i, pack);
  });
}

__device__ float sigmoid(float x) { return 1.0F / (1.0F + expf(-x)); }

template <class P, class T>
__global__ void gate_kernel(T* y, const T* g, const T* u, int64_t n) {
  for_packs<P>(n, [&](int64_t i) {
    const P open = read<P>(g + i);
    P pack = read<P>(u + i);
    for (int k = 0; k < P::kSize; ++k) {
      const float value = load(open.at[k]);
      store(pack.at[k], value * sigmoid(value) * load(pack.at[k]));
    }
    write(y + i, pack);
  });
}

template <class P, class T>
__global__ void gate_backward_kernel(T* dg, T* du, const T* dy, const T* g, const T* u, int64_t n) {
  for_packs<P>(n, [&](int64_t i) {
    P gate = read<P>(g + i), up = read<P>(u + i);
    const P gradient = read<P>(dy + i);
    for (int k = 0; k < P::kSize; ++k) {
      const float value = load(gate.at[k]), open = sigmoid(value), d = load(gradient.at[k]);
      store(gate.at[k], d * load(up.at[k]) * open * (1 + value * (1 - open)));
      store(up.at[k], d * value * open);
    }
    write(dg + i, gate);
    write(du + i, up);
  });
}

template <class P, class T>
__global__ void accumulate_kernel(float* sum, const T* x, int64_t n) {
  using Sums = Pack<float, P::kSize == 1 ? 1 : 4>;  // 16 bytes at a time here too
  for_packs<P>(n, [&](int64_t i) {
    const P pack = read<P>(x + i);
    for (int part = 0; part < P::kSize; part += Sums::kSize) {
      Sums sums = read<Sums>(sum + i + part);
      for (int k = 0; k < Sums::kSize; ++k) sums.at[k] += load(pack.at[part + k]);
      write(sum + i + part, sums);
    }
  });
}

// ---- heads ------------------------------------------------------------------------------------------------

// Where the two members of pair i of a head's rotated part lie.
__device__ int64_t first_of(const HeadRows& rows, int64_t i) {
  return rows.pairs == Pairs::neighbours ? 2 * i : i;
}
__device__ int64_t second_of(const HeadRows& rows, int64_t i) {
  return rows.pairs == Pairs::neighbours ? 2 * i + 1 : rows.half + i;
}

// A block is one token; `kBackward` goes from [B, H, T, Q] to [B, T, H, Q].
template <class P, bool kBackward, class T>
__global__ void rotate_kernel(T* to, const T* from, HeadRows rows) {
  const int64_t b = blockIdx.x / rows.T, t = blockIdx.x % rows.T;
  const int64_t Q = rows.plain + 2 * rows.half;
  const int64_t token = blockIdx.x * rows.token_stride;
  const int64_t spread = b * rows.stride_b + t * rows.stride_t;
  const float* cosine = rows.cosine + t * rows.half;
  const float* sine = rows.sine + t * rows.half;
  const int64_t copies = rows.plain / P::kSize;
  for (int64_t i = threadIdx.x; i < rows.n_heads * copies; i += blockDim.x) {
    const int64_t h = i / copies, place = i % copies * P::kSize;
    const int64_t dense = token + h * Q + place, strided = spread + h * rows.stride_h + place;
    write(to + (kBackward ? dense : strided), read<P>(from + (kBackward ? strided : dense)));
  }
  for (int64_t i = threadIdx.x; i < rows.n_heads * rows.half; i += blockDim.x) {
    const int64_t h = i / rows.half, pair = i % rows.half;
    const int64_t dense = token + h * Q + rows.plain, strided = spread + h * rows.stride_h + rows.plain;
    const float c = cosine[pair], s = sine[pair];
    if constexpr (kBackward) {
      const float first = load(from[strided + pair]), second = load(from[strided + rows.half + pair]);
      store(to[dense + first_of(rows, pair)], first * c + second * s);
      store(to[dense + second_of(rows, pair)], second * c - first * s);
    } else {
      const float first = load(from[dense + first_of(rows, pair)]);
      const float second = load(from[dense + second_of(rows, pair)]);
      store(to[strided + pair], first * c - second * s);
      store(to[strided + rows.half + pair], first * s + second * c);
    }
  }
}

template <class P, class T>
__global__ void join_kernel(T* keys, T* values, const T* kv, const T* rope, JoinRows rows) {
  const int64_t b = blockIdx.x / rows.T, t = blockIdx.x % rows.T;
  const int64_t X = rows.N + rows.V, Q = rows.N + rows.R;
  const T* in = kv + blockIdx.x * rows.H * X;
  const T* shared = rope + blockIdx.x * rows.R;
  T* key = keys + b * rows.key_b + t * rows.key_t;
  T* value = values + b * rows.value_b + t * rows.value_t;
  for (int64_t i = threadIdx.x; i < rows.H * (Q / P::kSize); i += blockDim.x) {
    const int64_t h = i / (Q / P::kSize), place = i % (Q / P::kSize) * P::kSize;
    const T* source = place < rows.N ? in + h * X + place : shared + place - rows.N;
    write(key + h * rows.key_h + place, read<P>(source));
  }
  for (int64_t i = threadIdx.x; i < rows.H * (rows.padded / P::kSize); i += blockDim.x) {
    const int64_t h = i / (rows.padded / P::kSize), place = i % (rows.padded / P::kSize) * P::kSize;
    P pack{};
    if (place < rows.V) pack = read<P>(in + h * X + rows.N + place);
    write(value + h * rows.value_h + place, pack);
  }
}

template <class P, class T>
__global__ void join_backward_kernel(T* dkv, T* drope, const T* dkeys, const T* dvalues, JoinRows rows) {
  const int64_t b = blockIdx.x / rows.T, t = blockIdx.x % rows.T;
  const int64_t X = rows.N + rows.V;
  const T* key = dkeys + b * rows.key_b + t * rows.key_t;
  const T* value = dvalues + b * rows.value_b + t * rows.value_t;
  T* out = dkv + blockIdx.x * rows.H * X;
  for (int64_t i = threadIdx.x; i < rows.H * (X / P::kSize); i += blockDim.x) {
    const int64_t h = i / (X / P::kSize), place = i % (X / P::kSize) * P::kSize;
    const T* source =
        place < rows.N ? key + h * rows.key_h + place : value + h * rows.value_h + place - rows.N;
    write(out + h * X + place, read<P>(source));
  }
  for (int64_t r = threadIdx.x; r < rows.R; r += blockDim.x) {
    float sum = 0;
    for (int64_t h = 0; h < rows.H; ++h) sum += load(key[h * rows.key_h + rows.N + r]);
    store(drope[blockIdx.x * rows.R + r], sum);
  }
}

// ---- loss -------------------------------------------------------------------------------------------------

constexpr int kLossThreads = 1024;

template <class P, class T>
__global__ void softmax_losses_kernel(T* logits, double* losses, const int64_t* labels, int64_t n,
                                      int64_t ignored, float weight) {
  __shared__ float space[kLossThreads / kWarp];
  const int64_t row = blockIdx.x;
  const int64_t label = labels[row];
  T* own = logits + row * n;
  if (label < 0 || label >= n) {
    for (int64_t i = threadIdx.x; i < n; i += kLossThreads) store(own[i], 0.0F);
    if (threadIdx.x == 0) losses[row] = label == ignored ? 0.0 : static_cast<double>(nanf(""));
    return;
  }
  const float at_label = load(own[label]);
  // One reading for the largest logit and the sum: the sum is scaled when a larger one comes.
  float top = -INFINITY, sum = 0;
  for (int64_t i = threadIdx.x * P::kSize; i < n; i += kLossThreads * P::kSize) {
    const P pack = read<P>(own + i);
    float largest = load(pack.at[0]);
    for (int k = 1; k < P::kSize; ++k) largest = fmaxf(largest, load(pack.at[k]));
    if (largest > top) {
      sum *= __expf(top - largest);
      top = largest;
    }
    for (int k = 0; k < P::kSize; ++k) sum += __expf(load(pack.at[k]) - top);
  }
  const float top_of_row = max_of_block(top, space);
  // A thread without numbers has top = -infinity and sum = 0.
  sum = sum_of_block(top == -INFINITY ? sum : sum * __expf(top - top_of_row), space);
  if (threadIdx.x == 0) {
    losses[row] =
        log(static_cast<double>(sum)) + static_cast<double>(top_of_row) - static_cast<double>(at_label);
  }
  const float factor = weight / sum;
  for (int64_t i = threadIdx.x * P::kSize; i < n; i += kLossThreads * P::kSize) {
    P pack = read<P>(own + i);
    for (int k = 0; k < P::kSize; ++k) {
      const float share = __expf(load(pack.at[k]) - top_of_row) * factor;
      store(pack.at[k], i + k == label ? share - weight : share);
    }
    write(own + i, pack);
  }
}

// ---- launches ---------------------------------------------------------------------------------------------

// Calls f(Wide<T>{}) where all these numbers (strides, widths, addresses in numbers) are multiples of a wide
// pack, else f(Single<T>{}).
template <class T, class F>
int with_packs(std::initializer_list<int64_t> numbers, std::initializer_list<const void*> pointers, F&& f) {
  bool wide = true;
  for (const int64_t number : numbers) wide = wide && number % Wide<T>::kSize == 0;
  for (const void* pointer : pointers) wide = wide && reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
  if (wide) {
    f(Wide<T>{});
  } else {
    f(Single<T>{});
  }
  return static_cast<int>(cudaGetLastError());
}

unsigned blocks_for(int64_t n) {
  return static_cast<unsigned>(std::clamp<int64_t>((n + kThreads - 1) / kThreads, 1, kMaxBlocks));
}

cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

template <class T>
int launch_normalise(T* y, T* sum, float* scales, const T* x, const T* added, const T* w,
                     const NormRows& rows, void* stream) {
  if (rows.n_rows == 0) return 0;
  return with_packs<T>({rows.n, rows.x_stride}, {y, sum, x, added, w}, [&](auto pack) {
    normalise_kernel<decltype(pack)><<<static_cast<unsigned>(rows.n_rows), kThreads, 0, as_stream(stream)>>>(
        y, sum, scales, x, added, w, rows);
  });
}

template <class T>
int launch_normalise_backward(T* dx, float* partial, const T* dy, const T* dsum, const T* x, const T* w,
                              const float* scales, const NormRows& rows, void* stream) {
  const auto bytes = static_cast<size_t>(rows.n) * sizeof(float);
  // Some is left for the sums of warps.
  const bool in_shared = static_cast<int64_t>(bytes) <= kSharedBytes - 1024;
  return with_packs<T>({rows.n, rows.x_stride}, {dx, dy, dsum, x, w}, [&](auto pack) {
    normalise_backward_kernel<decltype(pack)>
        <<<static_cast<unsigned>(kNormParts), kThreads, in_shared ? bytes : 0, as_stream(stream)>>>(
            dx, partial, dy, dsum, x, w, scales, rows, in_shared);
  });
}

template <class T>
int launch_rotate(T* to, const T* from, const HeadRows& rows, bool backward, void* stream) {
  const int64_t tokens = rows.B * rows.T;
  if (tokens == 0) return 0;
  return with_packs<T>(
      {rows.plain, 2 * rows.half, rows.token_stride, rows.stride_b, rows.stride_h, rows.stride_t}, {to, from},
      [&](auto pack) {
        if (backward) {
          rotate_kernel<decltype(pack), true>
              <<<static_cast<unsigned>(tokens), kThreads, 0, as_stream(stream)>>>(to, from, rows);
        } else {
          rotate_kernel<decltype(pack), false>
              <<<static_cast<unsigned>(tokens), kThreads, 0, as_stream(stream)>>>(to, from, rows);
        }
      });
}

template <class T, class F>
int with_join_packs(const JoinRows& rows, std::initializer_list<const void*> pointers, F&& f) {
  return with_packs<T>({rows.N, rows.V, rows.R, rows.padded, rows.key_b, rows.key_h, rows.key_t, rows.value_b,
                        rows.value_h, rows.value_t},
                       pointers, f);
}

}  // namespace

#define PLM_TRAIN_CUDA_KERNELS(Number)                                                                       \
  int normalise(Number* y, Number* sum, float* scales, const Number* x, const Number* added,                 \
                const Number* w, const NormRows& rows, void* stream) {                                       \
    return launch_normalise(y, sum, scales, x, added, w, rows, stream);                                      \
  }                                                                                                          \
  int normalise_backward(Number* dx, float* partial, const Number* dy, const Number* dsum, const Number* x,  \
                         const Number* w, const float* scales, const NormRows& rows, void* stream) {         \
    return launch_normalise_backward(dx, partial, dy, dsum, x, w, scales, rows, stream);                     \
  }                                                                                                          \
  int square_live(Number* y, const Number* u, int64_t n, void* stream) {                                     \
    return with_packs<Number>({n}, {y, u}, [&](auto pack) {                                                  \
      square_live_kernel<decltype(pack)>                                                                     \
          <<<blocks_for(n / pack.kSize), kThreads, 0, as_stream(stream)>>>(y, u, n);                         \
    });                                                                                                      \
  }                                                                                                          \
  int square_live_backward(Number* du, const Number* dy, const Number* u, int64_t n, float penalty,          \
                           void* stream) {                                                                   \
    return with_packs<Number>({n}, {du, dy, u}, [&](auto pack) {                                             \
      square_live_backward_kernel<decltype(pack)>                                                            \
          <<<blocks_for(n / pack.kSize), kThreads, 0, as_stream(stream)>>>(du, dy, u, n, penalty);           \
    });                                                                                                      \
  }                                                                                                          \
  int gate(Number* y, const Number* g, const Number* u, int64_t n, void* stream) {                           \
    return with_packs<Number>({n}, {y, g, u}, [&](auto pack) {                                               \
      gate_kernel<decltype(pack)>                                                                            \
          <<<blocks_for(n / pack.kSize), kThreads, 0, as_stream(stream)>>>(y, g, u, n);                      \
    });                                                                                                      \
  }                                                                                                          \
  int gate_backward(Number* dg, Number* du, const Number* dy, const Number* g, const Number* u, int64_t n,   \
                    void* stream) {                                                                          \
    return with_packs<Number>({n}, {dg, du, dy, g, u}, [&](auto pack) {                                      \
      gate_backward_kernel<decltype(pack)>                                                                   \
          <<<blocks_for(n / pack.kSize), kThreads, 0, as_stream(stream)>>>(dg, du, dy, g, u, n);             \
    });                                                                                                      \
  }                                                                                                          \
  int rotate(Number* out, const Number* in, const HeadRows& rows, void* stream) {                            \
    return launch_rotate(out, in, rows, false, stream);                                                      \
  }                                                                                                          \
  int rotate_backward(Number* din, const Number* dout, const HeadRows& rows, void* stream) {                 \
    return launch_rotate(din, dout, rows, true, stream);                                                     \
  }                                                                                                          \
  int join(Number* keys, Number* values, const Number* kv, const Number* rope, const JoinRows& rows,         \
           void* stream) {                                                                                   \
    return with_join_packs<Number>(rows, {keys, values, kv, rope}, [&](auto pack) {                          \
      join_kernel<decltype(pack)>                                                                            \
          <<<static_cast<unsigned>(rows.B * rows.T), kThreads, 0, as_stream(stream)>>>(keys, values, kv,     \
                                                                                       rope, rows);          \
    });                                                                                                      \
  }                                                                                                          \
  int join_backward(Number* dkv, Number* drope, const Number* dkeys, const Number* dvalues,                  \
                    const JoinRows& rows, void* stream) {                                                    \
    return with_join_packs<Number>(rows, {dkv, drope, dkeys, dvalues}, [&](auto pack) {                      \
      join_backward_kernel<decltype(pack)>                                                                   \
          <<<static_cast<unsigned>(rows.B * rows.T), kThreads, 0, as_stream(stream)>>>(dkv, drope, dkeys,    \
                                                                                       dvalues, rows);       \
    });                                                                                                      \
  }                                                                                                          \
  int softmax_losses(Number* logits, double* losses, const int64_t* labels, int64_t n_rows, int64_t n,       \
                     int64_t ignored, float weight, void* stream) {                                          \
    if (n_rows == 0) return 0;                                                                               \
    return with_packs<Number>({n}, {logits}, [&](auto pack) {                                                \
      softmax_losses_kernel<decltype(pack)>                                                                  \
          <<<static_cast<unsigned>(n_rows), kLossThreads, 0, as_stream(stream)>>>(logits, losses, labels, n, \
                                                                                  ignored, weight);          \
    });                                                                                                      \
  }                                                                                                          \
  int accumulate(float* sum, const Number* x, int64_t n, void* stream) {                                     \
    return with_packs<Number>({n}, {sum, x}, [&](auto pack) {                                                \
      accumulate_kernel<decltype(pack)>                                                                      \
          <<<blocks_for(n / pack.kSize), kThreads, 0, as_stream(stream)>>>(sum, x, n);                       \
    });                                                                                                      \
  }
PLM_TRAIN_CUDA_KERNELS(float)
PLM_TRAIN_CUDA_KERNELS(Bf16)
#undef PLM_TRAIN_CUDA_KERNELS

const char* error_text(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }

}  // namespace plm::train::fused::cuda
