// passes.h by the loops of fused_cpu.h: rows and tokens divided among threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "train/core/fused_cpu.h"
#include "train/core/passes.h"
#include "train/data/batch_source.h"

namespace plm::train::fused {
namespace {

// Numbers that are worth a thread of their own.
constexpr int64_t kGrain = 1 << 14;
// Sums over rows are made in so many parts, whatever the number of threads: the same bits for any.
constexpr int64_t kParts = 16;

template <class T>
T* numbers(const at::Tensor& x) {
  return static_cast<T*>(x.data_ptr());
}

// f(T{}), T as x has it.
template <class Function>
void by_type(const at::Tensor& x, Function&& f) {
  if (x.scalar_type() == at::kFloat) {
    f(float{});
  } else {
    f(Bf16{});
  }
}

template <class Function>
void for_rows(int64_t n_rows, int64_t numbers_in_row, Function&& f) {
  at::parallel_for(0, n_rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, numbers_in_row)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) f(row);
                   });
}

// Calls f(row, partial sums of this part [width]) for every row; returns the sum of all parts in `type`.
template <class Function>
at::Tensor sum_over_rows(int64_t n_rows, int64_t width, at::ScalarType type, Function&& f) {
  at::Tensor parts = at::zeros({kParts, width}, at::kFloat);
  at::parallel_for(0, kParts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      float* sums = parts.mutable_data_ptr<float>() + part * width;
      const int64_t last = n_rows * (part + 1) / kParts;
      for (int64_t row = n_rows * part / kParts; row < last; ++row) f(row, sums);
    }
  });
  return parts.sum(0).to(type);
}

// What rotate() needs of position t.
Heads heads_at(const Heads& common, const Rotation& rotation, int64_t t) {
  Heads heads = common;
  heads.cosine = numbers<float>(rotation.cosine) + t * common.half;
  heads.sine = numbers<float>(rotation.sine) + t * common.half;
  return heads;
}

// Of [B, T, H, Q] on the dense side; the other side's heads lie stride_out apart.
Heads heads_between(int64_t n_heads, int64_t width, int64_t plain, int64_t stride_out, Pairs pairs) {
  return {.n_heads = n_heads,
          .plain = plain,
          .half = (width - plain) / 2,
          .stride_in = width,
          .stride_out = stride_out,
          .pairs = pairs};
}

class CpuPasses : public Passes {
 public:
  Normed normalise(const at::Tensor& x, const at::Tensor& added, const at::Tensor& w,
                   double eps) const override {
    const int64_t n = x.size(-1);
    const int64_t n_rows = x.numel() / n;
    Normed out{.sum = added.defined() ? at::empty_like(x) : at::Tensor(),
               .normed = at::empty_like(x),
               .scales = at::empty({n_rows}, at::kFloat)};
    by_type(x, [&]<class T>(T) {
      for_rows(n_rows, n, [&](int64_t row) {
        const bool adds = added.defined();
        numbers<float>(out.scales)[row] =
            fused::normalise(numbers<T>(out.normed) + row * n, adds ? numbers<T>(out.sum) + row * n : nullptr,
                             numbers<T>(x) + row * n, adds ? numbers<T>(added) + row * n : nullptr,
                             numbers<T>(w), {.n = n, .eps = eps});
      });
    });
    return out;
  }

  NormGradients normalise_backward(const at::Tensor& dy, const at::Tensor& dsum, const at::Tensor& x,
                                   const at::Tensor& w, const at::Tensor& scales) const override {
    const int64_t n = x.size(-1);
    NormGradients out{.x = at::empty_like(x), .w = {}};
    by_type(x, [&]<class T>(T) {
      out.w = sum_over_rows(x.numel() / n, n, w.scalar_type(), [&](int64_t row, float* dw) {
        fused::normalise_backward(numbers<T>(out.x) + row * n, dw, numbers<T>(dy) + row * n,
                                  dsum.defined() ? numbers<T>(dsum) + row * n : nullptr,
                                  numbers<T>(x) + row * n, numbers<T>(w), numbers<float>(scales)[row], n);
      });
    });
    return out;
  }

  void square_live(at::Tensor& y, const at::Tensor& u) const override {
    by_type(u, [&]<class T>(T) {
      at::parallel_for(0, u.numel(), kGrain, [&](int64_t begin, int64_t end) {
        fused::square_live(numbers<T>(y) + begin, numbers<T>(u) + begin, end - begin);
      });
    });
  }

  void square_live_backward(at::Tensor& du, const at::Tensor& dy, const at::Tensor& u,
                            double penalty) const override {
    by_type(u, [&]<class T>(T) {
      at::parallel_for(0, u.numel(), kGrain, [&](int64_t begin, int64_t end) {
        fused::square_live_backward(numbers<T>(du) + begin, numbers<T>(dy) + begin, numbers<T>(u) + begin,
                                    end - begin, static_cast<float>(penalty));
      });
    });
  }

  void gate(at::Tensor& y, const at::Tensor& g, const at::Tensor& u) const override {
    by_type(u, [&]<class T>(T) {
      at::parallel_for(0, u.numel(), kGrain, [&](int64_t begin, int64_t end) {
        fused::gate(numbers<T>(y) + begin, numbers<T>(g) + begin, numbers<T>(u) + begin, end - begin);
      });
    });
  }

  void gate_backward(at::Tensor& dg, at::Tensor& du, const at::Tensor& dy, const at::Tensor& g,
                     const at::Tensor& u) const override {
    by_type(dy, [&]<class T>(T) {
      at::parallel_for(0, dy.numel(), kGrain, [&](int64_t begin, int64_t end) {
        fused::gate_backward(numbers<T>(dg) + begin, numbers<T>(du) + begin, numbers<T>(dy) + begin,
                             numbers<T>(g) + begin, numbers<T>(u) + begin, end - begin);
      });
    });
  }

  at::Tensor rotate_heads(const at::Tensor& x, int64_t plain, const Rotation& rotation) const override {
    const int64_t T = x.size(1), H = x.size(2), Q = x.size(3);
    at::Tensor out = at::empty({x.size(0), H, T, Q}, x.options());
    const Heads common = heads_between(H, Q, plain, T * Q, rotation.pairs);
    by_type(x, [&]<class N>(N) {
      for_rows(x.size(0) * T, H * Q, [&](int64_t row) {
        const int64_t t = row % T;
        rotate(numbers<N>(out) + (row - t) * H * Q + t * Q, numbers<N>(x) + row * H * Q,
               heads_at(common, rotation, t));
      });
    });
    return out;
  }

  at::Tensor rotate_heads_backward(const at::Tensor& dout, int64_t plain,
                                   const Rotation& rotation) const override {
    const int64_t H = dout.size(1), T = dout.size(2), Q = dout.size(3);
    at::Tensor din = at::empty({dout.size(0), T, H, Q}, dout.options());
    const Heads common = heads_between(H, Q, plain, dout.stride(1), rotation.pairs);
    by_type(dout, [&]<class N>(N) {
      for_rows(dout.size(0) * T, H * Q, [&](int64_t row) {
        const int64_t t = row % T;
        rotate_backward(numbers<N>(din) + row * H * Q,
                        numbers<N>(dout) + row / T * dout.stride(0) + t * dout.stride(2),
                        heads_at(common, rotation, t));
      });
    });
    return din;
  }

  SplitLatentParts split_latent(const at::Tensor& kv, const at::Tensor& w, double eps,
                                const Rotation& rotation) const override {
    const int64_t B = kv.size(0), T = kv.size(1), E = kv.size(2), C = w.size(0), R = E - C;
    SplitLatentParts out{.latent_BTC = at::empty({B, T, C}, kv.options()),
                         .rope_BTR = at::empty({B, T, R}, kv.options()),
                         .scales = at::empty({B * T}, at::kFloat)};
    const Heads common{.half = R / 2, .pairs = rotation.pairs};
    by_type(kv, [&]<class N>(N) {
      for_rows(B * T, E, [&](int64_t row) {
        const N* in = numbers<N>(kv) + row * E;
        numbers<float>(out.scales)[row] =
            fused::normalise(numbers<N>(out.latent_BTC) + row * C, static_cast<N*>(nullptr), in,
                             static_cast<const N*>(nullptr), numbers<N>(w), {.n = C, .eps = eps});
        rotate(numbers<N>(out.rope_BTR) + row * R, in + C, heads_at(common, rotation, row % T));
      });
    });
    return out;
  }

  SplitLatentGradients split_latent_backward(const at::Tensor& dlatent, const at::Tensor& drope,
                                             const at::Tensor& kv, const at::Tensor& w,
                                             const at::Tensor& scales,
                                             const Rotation& rotation) const override {
    const int64_t T = kv.size(1), E = kv.size(2), C = w.size(0), R = E - C;
    SplitLatentGradients out{.kv_BTE = at::empty_like(kv), .w = {}};
    const Heads common{.half = R / 2, .pairs = rotation.pairs};
    by_type(kv, [&]<class N>(N) {
      out.w = sum_over_rows(kv.numel() / E, C, w.scalar_type(), [&](int64_t row, float* sums) {
        N* dkv = numbers<N>(out.kv_BTE) + row * E;
        fused::normalise_backward(dkv, sums, numbers<N>(dlatent) + row * C, static_cast<const N*>(nullptr),
                                  numbers<N>(kv) + row * E, numbers<N>(w), numbers<float>(scales)[row], C);
        rotate_backward(dkv + C, numbers<N>(drope) + row * R, heads_at(common, rotation, row % T));
      });
    });
    return out;
  }

  KeysValues join_keys_values(const at::Tensor& kv, const at::Tensor& rope, int64_t V,
                              int64_t padded) const override {
    const int64_t B = kv.size(0), T = kv.size(1), H = kv.size(2), X = kv.size(3), R = rope.size(2);
    const int64_t N = X - V, Q = N + R;
    KeysValues out{.keys_BHTQ = at::empty({B, H, T, Q}, kv.options()),
                   .values_BHTV = at::empty({B, H, T, padded}, kv.options())};
    by_type(kv, [&]<class Number>(Number) {
      constexpr size_t kSize = sizeof(Number);
      for_rows(B * T, H * (Q + padded), [&](int64_t row) {
        const int64_t t = row % T;
        for (int64_t h = 0; h < H; ++h) {
          const int64_t place = (row / T * H + h) * T + t;
          const Number* in = numbers<Number>(kv) + (row * H + h) * X;
          Number* key = numbers<Number>(out.keys_BHTQ) + place * Q;
          Number* value = numbers<Number>(out.values_BHTV) + place * padded;
          std::memcpy(key, in, static_cast<size_t>(N) * kSize);
          std::memcpy(key + N, numbers<Number>(rope) + row * R, static_cast<size_t>(R) * kSize);
          std::memcpy(value, in + N, static_cast<size_t>(V) * kSize);
          std::fill(value + V, value + padded, Number{});
        }
      });
    });
    return out;
  }

  JoinGradients join_keys_values_backward(const at::Tensor& dk, const at::Tensor& dv, int64_t V,
                                          int64_t R) const override {
    const int64_t B = dk.size(0), H = dk.size(1), T = dk.size(2), N = dk.size(3) - R, X = N + V;
    JoinGradients out{.kv_BTHX = at::empty({B, T, H, X}, dk.options()),
                      .rope_BTR = at::empty({B, T, R}, dk.options())};
    by_type(dk, [&]<class Number>(Number) {
      constexpr size_t kSize = sizeof(Number);
      at::parallel_for(0, B * T, std::max<int64_t>(1, kGrain / (H * X)), [&](int64_t begin, int64_t end) {
        std::vector<Number> shared(static_cast<size_t>(H * R));
        std::vector<float> sums(static_cast<size_t>(R));
        for (int64_t row = begin; row < end; ++row) {
          const int64_t b = row / T, t = row % T;
          for (int64_t h = 0; h < H; ++h) {
            const Number* key = numbers<Number>(dk) + b * dk.stride(0) + h * dk.stride(1) + t * dk.stride(2);
            const Number* value =
                numbers<Number>(dv) + b * dv.stride(0) + h * dv.stride(1) + t * dv.stride(2);
            Number* dkv = numbers<Number>(out.kv_BTHX) + (row * H + h) * X;
            std::memcpy(dkv, key, static_cast<size_t>(N) * kSize);
            std::memcpy(dkv + N, value, static_cast<size_t>(V) * kSize);
            std::memcpy(shared.data() + h * R, key + N, static_cast<size_t>(R) * kSize);
          }
          // All heads share the rotated part: its gradients add up, in float32.
          sum_rows(numbers<Number>(out.rope_BTR) + row * R, shared.data(), H, R, sums.data());
        }
      });
    });
    return out;
  }

  at::Tensor softmax_losses(at::Tensor& logits, const at::Tensor& labels, double scale) const override {
    const int64_t n_rows = logits.size(0), W = logits.size(1);
    const int64_t* label_of = labels.const_data_ptr<int64_t>();
    std::vector<double> losses(static_cast<size_t>(n_rows), 0.0);
    by_type(logits, [&]<class T>(T) {
      at::parallel_for(0, n_rows, std::max<int64_t>(1, kGrain / W), [&](int64_t begin, int64_t end) {
        std::vector<float> exponentials(static_cast<size_t>(W));
        for (int64_t row = begin; row < end; ++row) {
          T* numbers_of_row = numbers<T>(logits) + row * W;
          const int64_t label = label_of[row];
          if (label == kIgnoredLabel) {
            std::fill(numbers_of_row, numbers_of_row + W, T{});
            continue;
          }
          TORCH_CHECK(label >= 0 && label < W, "label: found ", label, ", expected 0 to ", W - 1);
          losses[static_cast<size_t>(row)] =
              softmax_loss(numbers_of_row, W, label, static_cast<float>(scale), exponentials.data());
        }
      });
    });
    double sum = 0;
    for (const double loss : losses) sum += loss;
    return at::scalar_tensor(sum, at::kDouble);
  }

  void add_to(at::Tensor& sum, const at::Tensor& x) const override {
    by_type(x, [&]<class T>(T) {
      at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
        accumulate(numbers<float>(sum) + begin, numbers<T>(x) + begin, end - begin);
      });
    });
  }
};

}  // namespace

const Passes& cpu_passes() {
  static const CpuPasses passes;
  return passes;
}

}  // namespace plm::train::fused
