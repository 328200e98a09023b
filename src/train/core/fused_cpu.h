// The inner loops of functions.h on a CPU: one pass over memory where ATen compositions make five, float32
// arithmetic on float32 or bfloat16 numbers, rounded once. Plain C++ that the compiler vectorises, for
// several instruction sets at once (decision 0053).
//
// Each works on one row or one token; callers divide rows among threads. Pointers do not overlap unless said.
#pragma once

#include <cstdint>

namespace plm::train::fused {

using Bf16 = uint16_t;  // the bits of a bfloat16

// Where the two members of a rotated pair lie: neighbours (PLM), or half a row apart (llama). The result has
// all first members, then all second ones, in either case.
enum class Pairs { neighbours, halves };

// The heads of one token: `n_heads` rows, each of `plain` numbers that are copied and 2 `half` that are
// rotated.
struct Heads {
  int64_t n_heads = 1;
  int64_t plain = 0;
  int64_t half = 0;
  int64_t stride_in = 0;  // numbers from one head to the next
  int64_t stride_out = 0;
  Pairs pairs = Pairs::neighbours;
  const float* cosine = nullptr;  // [half], of this position
  const float* sine = nullptr;
};

// The row of a norm: y = (x + added) w / sqrt(mean((x + added)^2) + eps).
struct NormRow {
  int64_t n = 0;
  double eps = 0;
};

// For T of float and Bf16 alike:
//
// normalise(y, sum, x, added, w, row) returns 1 / sqrt(..). `added` and `sum` may both be null; `sum` gets
//   x + added, rounded, from which the rest is computed.
// normalise_backward(dx, dw, dy, dsum, x, w, scale, n): x is what was normalised, `scale` what the forward
//   pass returned; dx gets the gradient, plus dsum unless that is null; dw is added to.
// rotate(out, in, heads), rotate_backward(din, dout, heads): strides are those of din as in, dout as out.
// square_live(y, u, n): y = relu(u)^2. square_live_backward(du, dy, u, n, penalty): du = 2 relu(u) dy, plus
//   penalty where u > 0; du may be dy.
// gate(y, g, u, n): y = g sigmoid(g) u. gate_backward(dg, du, dy, g, u, n).
// softmax_loss(logits, n, label, weight, exponentials) returns -log softmax(logits)[label] and leaves in
//   `logits` its gradient times weight. `exponentials` is space for n floats.
// accumulate(sum, x, n): sum += x.
// sum_rows(out, in, n_rows, n, sums): out[i] = the sum over rows of in[row * n + i], by way of n floats
// `sums`.
#define PLM_TRAIN_FUSED(T)                                                                                   \
  float normalise(T* y, T* sum, const T* x, const T* added, const T* w, NormRow row);                        \
  void normalise_backward(T* dx, float* dw, const T* dy, const T* dsum, const T* x, const T* w, float scale, \
                          int64_t n);                                                                        \
  void rotate(T* out, const T* in, const Heads& heads);                                                      \
  void rotate_backward(T* din, const T* dout, const Heads& heads);                                           \
  void square_live(T* y, const T* u, int64_t n);                                                             \
  void square_live_backward(T* du, const T* dy, const T* u, int64_t n, float penalty);                       \
  void gate(T* y, const T* g, const T* u, int64_t n);                                                        \
  void gate_backward(T* dg, T* du, const T* dy, const T* g, const T* u, int64_t n);                          \
  double softmax_loss(T* logits, int64_t n, int64_t label, float weight, float* exponentials);               \
  void accumulate(float* sum, const T* x, int64_t n);                                                        \
  void sum_rows(T* out, const T* in, int64_t n_rows, int64_t n, float* sums);
PLM_TRAIN_FUSED(float)
PLM_TRAIN_FUSED(Bf16)
#undef PLM_TRAIN_FUSED

}  // namespace plm::train::fused
