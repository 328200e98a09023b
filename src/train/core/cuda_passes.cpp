// passes.h by the kernels of fused_cuda.h: shapes and strides out of tensors, and the stream that torch uses.
#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "train/core/fused_cuda.h"
#include "train/core/passes.h"
#include "train/data/batch_source.h"

namespace plm::train::fused {
namespace {

template <class T>
T* numbers(const at::Tensor& x) {
  return x.defined() ? static_cast<T*>(x.data_ptr()) : nullptr;
}

// f(T{}, stream), T as x has it, on the device of x; f returns the error of a launch.
template <class Function>
void launch(const at::Tensor& x, Function&& f) {
  const c10::cuda::CUDAGuard guard(x.device());
  void* stream = c10::cuda::getCurrentCUDAStream().stream();
  const int error = x.scalar_type() == at::kFloat ? f(float{}, stream) : f(Bf16{}, stream);
  TORCH_CHECK(error == 0, "a kernel could not be started: ", cuda::error_text(error));
}

// The [B, H, T, Q] side has the strides of `spread`.
cuda::HeadRows head_rows(const at::Tensor& spread, int64_t plain, const Rotation& rotation) {
  const int64_t H = spread.size(1), Q = spread.size(3);
  return {.B = spread.size(0),
          .T = spread.size(2),
          .n_heads = H,
          .plain = plain,
          .half = (Q - plain) / 2,
          .token_stride = H * Q,
          .stride_b = spread.stride(0),
          .stride_h = spread.stride(1),
          .stride_t = spread.stride(2),
          .pairs = rotation.pairs,
          .cosine = numbers<float>(rotation.cosine),
          .sine = numbers<float>(rotation.sine)};
}

// The rotated part of cache rows kv [B, T, C + R] beside rope [B, T, R], as one head.
cuda::HeadRows rope_rows(const at::Tensor& kv, int64_t R, const Rotation& rotation) {
  const int64_t T = kv.size(1);
  return {.B = kv.size(0),
          .T = T,
          .n_heads = 1,
          .half = R / 2,
          .token_stride = kv.size(2),
          .stride_b = T * R,
          .stride_t = R,
          .pairs = rotation.pairs,
          .cosine = numbers<float>(rotation.cosine),
          .sine = numbers<float>(rotation.sine)};
}

cuda::JoinRows join_rows(const at::Tensor& keys, const at::Tensor& values, int64_t V, int64_t R) {
  return {.B = keys.size(0),
          .T = keys.size(2),
          .H = keys.size(1),
          .N = keys.size(3) - R,
          .V = V,
          .R = R,
          .padded = values.size(3),
          .key_b = keys.stride(0),
          .key_h = keys.stride(1),
          .key_t = keys.stride(2),
          .value_b = values.stride(0),
          .value_h = values.stride(1),
          .value_t = values.stride(2)};
}

at::TensorOptions floats_like(const at::Tensor& x) { return x.options().dtype(at::kFloat); }

class CudaPasses : public Passes {
 public:
  Normed normalise(const at::Tensor& x, const at::Tensor& added, const at::Tensor& w,
                   double eps) const override {
    const int64_t n = x.size(-1);
    Normed out{.sum = added.defined() ? at::empty_like(x) : at::Tensor(),
               .normed = at::empty_like(x),
               .scales = at::empty({x.numel() / n}, floats_like(x))};
    launch(x, [&]<class T>(T, void* stream) {
      return cuda::normalise(numbers<T>(out.normed), numbers<T>(out.sum), numbers<float>(out.scales),
                             numbers<T>(x), numbers<T>(added), numbers<T>(w),
                             {.n_rows = x.numel() / n, .n = n, .x_stride = n, .eps = eps}, stream);
    });
    return out;
  }

  NormGradients normalise_backward(const at::Tensor& dy, const at::Tensor& dsum, const at::Tensor& x,
                                   const at::Tensor& w, const at::Tensor& scales) const override {
    const int64_t n = x.size(-1);
    const at::Tensor partial = at::empty({cuda::kNormParts, n}, floats_like(x));
    NormGradients out{.x = at::empty_like(x), .w = {}};
    launch(x, [&]<class T>(T, void* stream) {
      return cuda::normalise_backward(numbers<T>(out.x), numbers<float>(partial), numbers<T>(dy),
                                      numbers<T>(dsum), numbers<T>(x), numbers<T>(w), numbers<float>(scales),
                                      {.n_rows = x.numel() / n, .n = n, .x_stride = n}, stream);
    });
    out.w = partial.sum(0).to(w.scalar_type());
    return out;
  }

  void square_live(at::Tensor& y, const at::Tensor& u) const override {
    launch(u, [&]<class T>(T, void* stream) {
      return cuda::square_live(numbers<T>(y), numbers<T>(u), u.numel(), stream);
    });
  }

  void square_live_backward(at::Tensor& du, const at::Tensor& dy, const at::Tensor& u,
                            double penalty) const override {
    launch(u, [&]<class T>(T, void* stream) {
      return cuda::square_live_backward(numbers<T>(du), numbers<T>(dy), numbers<T>(u), u.numel(),
                                        static_cast<float>(penalty), stream);
    });
  }

  void gate(at::Tensor& y, const at::Tensor& g, const at::Tensor& u) const override {
    launch(u, [&]<class T>(T, void* stream) {
      return cuda::gate(numbers<T>(y), numbers<T>(g), numbers<T>(u), u.numel(), stream);
    });
  }

  void gate_backward(at::Tensor& dg, at::Tensor& du, const at::Tensor& dy, const at::Tensor& g,
                     const at::Tensor& u) const override {
    launch(u, [&]<class T>(T, void* stream) {
      return cuda::gate_backward(numbers<T>(dg), numbers<T>(du), numbers<T>(dy), numbers<T>(g), numbers<T>(u),
                                 u.numel(), stream);
    });
  }

  at::Tensor rotate_heads(const at::Tensor& x, int64_t plain, const Rotation& rotation) const override {
    const int64_t B = x.size(0), T = x.size(1), H = x.size(2), Q = x.size(3);
    at::Tensor out = at::empty({B, H, T, Q}, x.options());
    launch(x, [&]<class N>(N, void* stream) {
      return cuda::rotate(numbers<N>(out), numbers<N>(x), head_rows(out, plain, rotation), stream);
    });
    return out;
  }

  at::Tensor rotate_heads_backward(const at::Tensor& dout, int64_t plain,
                                   const Rotation& rotation) const override {
    const int64_t B = dout.size(0), H = dout.size(1), T = dout.size(2), Q = dout.size(3);
    at::Tensor din = at::empty({B, T, H, Q}, dout.options());
    launch(dout, [&]<class N>(N, void* stream) {
      return cuda::rotate_backward(numbers<N>(din), numbers<N>(dout), head_rows(dout, plain, rotation),
                                   stream);
    });
    return din;
  }

  SplitLatentParts split_latent(const at::Tensor& kv, const at::Tensor& w, double eps,
                                const Rotation& rotation) const override {
    const int64_t B = kv.size(0), T = kv.size(1), E = kv.size(2), C = w.size(0), R = E - C;
    SplitLatentParts out{.latent_BTC = at::empty({B, T, C}, kv.options()),
                         .rope_BTR = at::empty({B, T, R}, kv.options()),
                         .scales = at::empty({B * T}, floats_like(kv))};
    launch(kv, [&]<class N>(N, void* stream) {
      return cuda::normalise(numbers<N>(out.latent_BTC), static_cast<N*>(nullptr), numbers<float>(out.scales),
                             numbers<N>(kv), static_cast<const N*>(nullptr), numbers<N>(w),
                             {.n_rows = B * T, .n = C, .x_stride = E, .eps = eps}, stream);
    });
    launch(kv, [&]<class N>(N, void* stream) {
      return cuda::rotate(numbers<N>(out.rope_BTR), numbers<N>(kv) + C, rope_rows(kv, R, rotation), stream);
    });
    return out;
  }

  SplitLatentGradients split_latent_backward(const at::Tensor& dlatent, const at::Tensor& drope,
                                             const at::Tensor& kv, const at::Tensor& w,
                                             const at::Tensor& scales,
                                             const Rotation& rotation) const override {
    const int64_t B = kv.size(0), T = kv.size(1), E = kv.size(2), C = w.size(0), R = E - C;
    const at::Tensor partial = at::empty({cuda::kNormParts, C}, floats_like(kv));
    SplitLatentGradients out{.kv_BTE = at::empty_like(kv), .w = {}};
    launch(kv, [&]<class N>(N, void* stream) {
      return cuda::normalise_backward(numbers<N>(out.kv_BTE), numbers<float>(partial), numbers<N>(dlatent),
                                      static_cast<const N*>(nullptr), numbers<N>(kv), numbers<N>(w),
                                      numbers<float>(scales), {.n_rows = B * T, .n = C, .x_stride = E},
                                      stream);
    });
    launch(kv, [&]<class N>(N, void* stream) {
      return cuda::rotate_backward(numbers<N>(out.kv_BTE) + C, numbers<N>(drope), rope_rows(kv, R, rotation),
                                   stream);
    });
    out.w = partial.sum(0).to(w.scalar_type());
    return out;
  }

  KeysValues join_keys_values(const at::Tensor& kv, const at::Tensor& rope, int64_t V,
                              int64_t padded) const override {
    const int64_t B = kv.size(0), T = kv.size(1), H = kv.size(2), R = rope.size(2);
    KeysValues out{.keys_BHTQ = at::empty({B, H, T, kv.size(3) - V + R}, kv.options()),
                   .values_BHTV = at::empty({B, H, T, padded}, kv.options())};
    launch(kv, [&]<class N>(N, void* stream) {
      return cuda::join(numbers<N>(out.keys_BHTQ), numbers<N>(out.values_BHTV), numbers<N>(kv),
                        numbers<N>(rope), join_rows(out.keys_BHTQ, out.values_BHTV, V, R), stream);
    });
    return out;
  }

  JoinGradients join_keys_values_backward(const at::Tensor& dk, const at::Tensor& dv, int64_t V,
                                          int64_t R) const override {
    const int64_t B = dk.size(0), H = dk.size(1), T = dk.size(2);
    JoinGradients out{.kv_BTHX = at::empty({B, T, H, dk.size(3) - R + V}, dk.options()),
                      .rope_BTR = at::empty({B, T, R}, dk.options())};
    launch(dk, [&]<class N>(N, void* stream) {
      return cuda::join_backward(numbers<N>(out.kv_BTHX), numbers<N>(out.rope_BTR), numbers<N>(dk),
                                 numbers<N>(dv), join_rows(dk, dv, V, R), stream);
    });
    return out;
  }

  at::Tensor softmax_losses(at::Tensor& logits, const at::Tensor& labels, double scale) const override {
    const at::Tensor losses = at::empty({logits.size(0)}, logits.options().dtype(at::kDouble));
    launch(logits, [&]<class T>(T, void* stream) {
      return cuda::softmax_losses(numbers<T>(logits), numbers<double>(losses), numbers<int64_t>(labels),
                                  logits.size(0), logits.size(1), kIgnoredLabel, static_cast<float>(scale),
                                  stream);
    });
    return losses.sum();
  }

  void add_to(at::Tensor& sum, const at::Tensor& x) const override {
    launch(x, [&]<class T>(T, void* stream) {
      return cuda::accumulate(numbers<float>(sum), numbers<T>(x), x.numel(), stream);
    });
  }
};

}  // namespace

const Passes& cuda_passes() {
  static const CudaPasses passes;
  return passes;
}

}  // namespace plm::train::fused
