#include "train/core/fused_functions.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "train/data/batch_source.h"

namespace plm::train::fused {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

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

// The normed rows of x (plus `added`), both contiguous; scales gets a float for each row.
struct Normed {
  at::Tensor sum, normed, scales;
};
Normed normalise_rows(const at::Tensor& x, const at::Tensor& added, const at::Tensor& w, double eps) {
  const int64_t n = x.size(-1);
  const int64_t n_rows = x.numel() / n;
  Normed out{.sum = added.defined() ? at::empty_like(x) : at::Tensor(),
             .normed = at::empty_like(x),
             .scales = at::empty({n_rows}, at::kFloat)};
  by_type(x, [&]<class T>(T) {
    for_rows(n_rows, n, [&](int64_t row) {
      const bool adds = added.defined();
      numbers<float>(out.scales)[row] =
          normalise(numbers<T>(out.normed) + row * n, adds ? numbers<T>(out.sum) + row * n : nullptr,
                    numbers<T>(x) + row * n, adds ? numbers<T>(added) + row * n : nullptr, numbers<T>(w),
                    {.n = n, .eps = eps});
    });
  });
  return out;
}

struct NormGradients {
  at::Tensor x, w;
};
NormGradients normalise_rows_backward(const at::Tensor& dy, const at::Tensor& dsum, const at::Tensor& x,
                                      const at::Tensor& w, const at::Tensor& scales) {
  const int64_t n = x.size(-1);
  NormGradients out{.x = at::empty_like(x), .w = {}};
  by_type(x, [&]<class T>(T) {
    out.w = sum_over_rows(x.numel() / n, n, w.scalar_type(), [&](int64_t row, float* dw) {
      normalise_backward(numbers<T>(out.x) + row * n, dw, numbers<T>(dy) + row * n,
                         dsum.defined() ? numbers<T>(dsum) + row * n : nullptr, numbers<T>(x) + row * n,
                         numbers<T>(w), numbers<float>(scales)[row], n);
    });
  });
  return out;
}

struct Norm : torch::autograd::Function<Norm> {
  static Variable forward(AutogradContext* context, const Variable& any_x, const Variable& w, double eps) {
    const at::Tensor x = any_x.contiguous();
    const Normed out = normalise_rows(x, {}, w, eps);
    context->save_for_backward({x, w, out.scales});
    return out.normed;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const NormGradients out =
        normalise_rows_backward(gradients[0].contiguous(), {}, saved[0], saved[1], saved[2]);
    return {out.x, out.w, Variable()};
  }
};

struct AddNorm : torch::autograd::Function<AddNorm> {
  static variable_list forward(AutogradContext* context, const Variable& x, const Variable& added,
                               const Variable& w, double eps) {
    const Normed out = normalise_rows(x.contiguous(), added.contiguous(), w, eps);
    context->save_for_backward({out.sum, w, out.scales});
    return {out.sum, out.normed};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dsum = gradients[0].defined() ? gradients[0].contiguous() : at::Tensor();
    const at::Tensor dy = gradients[1].defined() ? gradients[1].contiguous() : at::zeros_like(saved[0]);
    const NormGradients out = normalise_rows_backward(dy, dsum, saved[0], saved[1], saved[2]);
    return {out.x, out.x, out.w, Variable()};
  }
};

struct SquaredRelu : torch::autograd::Function<SquaredRelu> {
  static Variable forward(AutogradContext* context, const Variable& any_u, double penalty) {
    const at::Tensor u = any_u.contiguous();
    context->save_for_backward({u});
    context->saved_data["penalty"] = penalty;
    at::Tensor y = at::empty_like(u);
    by_type(u, [&]<class T>(T) {
      at::parallel_for(0, u.numel(), kGrain, [&](int64_t begin, int64_t end) {
        square_live(numbers<T>(y) + begin, numbers<T>(u) + begin, end - begin);
      });
    });
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor u = context->get_saved_variables()[0];
    const auto penalty = static_cast<float>(context->saved_data["penalty"].toDouble());
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor du = at::empty_like(u);
    by_type(u, [&]<class T>(T) {
      at::parallel_for(0, u.numel(), kGrain, [&](int64_t begin, int64_t end) {
        square_live_backward(numbers<T>(du) + begin, numbers<T>(dy) + begin, numbers<T>(u) + begin,
                             end - begin, penalty);
      });
    });
    return {du, Variable()};
  }
};

struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static Variable forward(AutogradContext* context, const Variable& any_gate, const Variable& any_up) {
    const at::Tensor g = any_gate.contiguous();
    const at::Tensor u = any_up.contiguous();
    context->save_for_backward({g, u});
    at::Tensor y = at::empty_like(u);
    by_type(u, [&]<class T>(T) {
      at::parallel_for(0, u.numel(), kGrain, [&](int64_t begin, int64_t end) {
        gate(numbers<T>(y) + begin, numbers<T>(g) + begin, numbers<T>(u) + begin, end - begin);
      });
    });
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dg = at::empty_like(saved[0]);
    at::Tensor du = at::empty_like(saved[1]);
    by_type(dy, [&]<class T>(T) {
      at::parallel_for(0, dy.numel(), kGrain, [&](int64_t begin, int64_t end) {
        gate_backward(numbers<T>(dg) + begin, numbers<T>(du) + begin, numbers<T>(dy) + begin,
                      numbers<T>(saved[0]) + begin, numbers<T>(saved[1]) + begin, end - begin);
      });
    });
    return {dg, du};
  }
};

// What rotate() needs of position t.
Heads heads_at(const Heads& common, const at::Tensor& cosine, const at::Tensor& sine, int64_t t) {
  Heads heads = common;
  heads.cosine = numbers<float>(cosine) + t * common.half;
  heads.sine = numbers<float>(sine) + t * common.half;
  return heads;
}

struct RotateHeads : torch::autograd::Function<RotateHeads> {
  static Variable forward(AutogradContext* context, const Variable& any_x, int64_t plain,
                          const at::Tensor& cosine, const at::Tensor& sine, int64_t pairs) {
    const at::Tensor x = any_x.contiguous();
    const int64_t T = x.size(1), H = x.size(2), Q = x.size(3);
    context->save_for_backward({cosine, sine});
    context->saved_data["plain"] = plain;
    context->saved_data["pairs"] = pairs;
    at::Tensor out = at::empty({x.size(0), H, T, Q}, x.options());
    const Heads common{.n_heads = H,
                       .plain = plain,
                       .half = (Q - plain) / 2,
                       .stride_in = Q,
                       .stride_out = T * Q,
                       .pairs = static_cast<Pairs>(pairs)};
    by_type(x, [&]<class N>(N) {
      for_rows(x.size(0) * T, H * Q, [&](int64_t row) {
        const int64_t t = row % T;
        rotate(numbers<N>(out) + (row - t) * H * Q + t * Q, numbers<N>(x) + row * H * Q,
               heads_at(common, cosine, sine, t));
      });
    });
    return out;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    at::Tensor dout = gradients[0];
    if (dout.stride(3) != 1) dout = dout.contiguous();
    const int64_t H = dout.size(1), T = dout.size(2), Q = dout.size(3);
    const int64_t plain = context->saved_data["plain"].toInt();
    at::Tensor din = at::empty({dout.size(0), T, H, Q}, dout.options());
    const Heads common{.n_heads = H,
                       .plain = plain,
                       .half = (Q - plain) / 2,
                       .stride_in = Q,
                       .stride_out = dout.stride(1),
                       .pairs = static_cast<Pairs>(context->saved_data["pairs"].toInt())};
    by_type(dout, [&]<class N>(N) {
      for_rows(dout.size(0) * T, H * Q, [&](int64_t row) {
        const int64_t t = row % T;
        rotate_backward(numbers<N>(din) + row * H * Q,
                        numbers<N>(dout) + row / T * dout.stride(0) + t * dout.stride(2),
                        heads_at(common, saved[0], saved[1], t));
      });
    });
    return {din, Variable(), Variable(), Variable(), Variable()};
  }
};

struct SplitLatent : torch::autograd::Function<SplitLatent> {
  static variable_list forward(AutogradContext* context, const Variable& any_kv, const Variable& w,
                               double eps, const at::Tensor& cosine, const at::Tensor& sine, int64_t pairs) {
    const at::Tensor kv = any_kv.contiguous();
    const int64_t B = kv.size(0), T = kv.size(1), E = kv.size(2), C = w.size(0), R = E - C;
    at::Tensor latent = at::empty({B, T, C}, kv.options());
    at::Tensor rope = at::empty({B, T, R}, kv.options());
    at::Tensor scales = at::empty({B * T}, at::kFloat);
    const Heads common{.half = R / 2, .pairs = static_cast<Pairs>(pairs)};
    by_type(kv, [&]<class N>(N) {
      for_rows(B * T, E, [&](int64_t row) {
        const N* in = numbers<N>(kv) + row * E;
        numbers<float>(scales)[row] =
            normalise(numbers<N>(latent) + row * C, static_cast<N*>(nullptr), in,
                      static_cast<const N*>(nullptr), numbers<N>(w), {.n = C, .eps = eps});
        rotate(numbers<N>(rope) + row * R, in + C, heads_at(common, cosine, sine, row % T));
      });
    });
    context->save_for_backward({kv, w, scales, cosine, sine});
    context->saved_data["pairs"] = pairs;
    return {latent, rope};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& kv = saved[0];
    const at::Tensor& w = saved[1];
    const int64_t T = kv.size(1), E = kv.size(2), C = w.size(0), R = E - C;
    const at::Tensor dlatent = gradients[0].contiguous();
    const at::Tensor drope = gradients[1].contiguous();
    at::Tensor dkv = at::empty_like(kv);
    at::Tensor dw;
    const Heads common{.half = R / 2, .pairs = static_cast<Pairs>(context->saved_data["pairs"].toInt())};
    by_type(kv, [&]<class N>(N) {
      dw = sum_over_rows(kv.numel() / E, C, w.scalar_type(), [&](int64_t row, float* sums) {
        N* out = numbers<N>(dkv) + row * E;
        normalise_backward(out, sums, numbers<N>(dlatent) + row * C, static_cast<const N*>(nullptr),
                           numbers<N>(kv) + row * E, numbers<N>(w), numbers<float>(saved[2])[row], C);
        rotate_backward(out + C, numbers<N>(drope) + row * R, heads_at(common, saved[3], saved[4], row % T));
      });
    });
    return {dkv, dw, Variable(), Variable(), Variable(), Variable()};
  }
};

struct JoinKeysValues : torch::autograd::Function<JoinKeysValues> {
  static variable_list forward(AutogradContext* context, const Variable& any_kv, const Variable& any_rope,
                               int64_t V, int64_t padded) {
    const at::Tensor kv = any_kv.contiguous();
    const at::Tensor rope = any_rope.contiguous();
    const int64_t B = kv.size(0), T = kv.size(1), H = kv.size(2), X = kv.size(3), R = rope.size(2);
    const int64_t N = X - V, Q = N + R;
    context->saved_data["V"] = V;
    context->saved_data["R"] = R;
    at::Tensor keys = at::empty({B, H, T, Q}, kv.options());
    at::Tensor values = at::empty({B, H, T, padded}, kv.options());
    by_type(kv, [&]<class Number>(Number) {
      constexpr size_t kSize = sizeof(Number);
      for_rows(B * T, H * (Q + padded), [&](int64_t row) {
        const int64_t t = row % T;
        for (int64_t h = 0; h < H; ++h) {
          const int64_t place = (row / T * H + h) * T + t;
          const Number* in = numbers<Number>(kv) + (row * H + h) * X;
          Number* key = numbers<Number>(keys) + place * Q;
          Number* value = numbers<Number>(values) + place * padded;
          std::memcpy(key, in, static_cast<size_t>(N) * kSize);
          std::memcpy(key + N, numbers<Number>(rope) + row * R, static_cast<size_t>(R) * kSize);
          std::memcpy(value, in + N, static_cast<size_t>(V) * kSize);
          std::fill(value + V, value + padded, Number{});
        }
      });
    });
    return {keys, values};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const int64_t V = context->saved_data["V"].toInt();
    const int64_t R = context->saved_data["R"].toInt();
    const at::Tensor dk = gradients[0].stride(3) == 1 ? gradients[0] : gradients[0].contiguous();
    const at::Tensor dv = gradients[1].stride(3) == 1 ? gradients[1] : gradients[1].contiguous();
    const int64_t B = dk.size(0), H = dk.size(1), T = dk.size(2), N = dk.size(3) - R, X = N + V;
    at::Tensor dkv = at::empty({B, T, H, X}, dk.options());
    at::Tensor drope = at::empty({B, T, R}, dk.options());
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
            Number* out = numbers<Number>(dkv) + (row * H + h) * X;
            std::memcpy(out, key, static_cast<size_t>(N) * kSize);
            std::memcpy(out + N, value, static_cast<size_t>(V) * kSize);
            std::memcpy(shared.data() + h * R, key + N, static_cast<size_t>(R) * kSize);
          }
          // All heads share the rotated part: its gradients add up, in float32.
          sum_rows(numbers<Number>(drope) + row * R, shared.data(), H, R, sums.data());
        }
      });
    });
    return {dkv, drope, Variable(), Variable()};
  }
};

}  // namespace

bool fits(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

at::Tensor squared_relu(const at::Tensor& u, double penalty) { return SquaredRelu::apply(u, penalty); }

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) { return SwiGlu::apply(gate, up); }

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return Norm::apply(x, weight, eps);
}

AddedNorm add_rms_norm(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight, double eps) {
  const variable_list out = AddNorm::apply(x, added, weight, eps);
  return {.sum = out[0], .normed = out[1]};
}

at::Tensor rotate_heads(const at::Tensor& x_BTHQ, int64_t plain, const Rotation& rotation) {
  return RotateHeads::apply(x_BTHQ, plain, rotation.cosine, rotation.sine,
                            static_cast<int64_t>(rotation.pairs));
}

LatentParts split_latent(const at::Tensor& kv_BTE, const at::Tensor& norm_C, double eps,
                         const Rotation& rotation) {
  const variable_list out = SplitLatent::apply(kv_BTE, norm_C, eps, rotation.cosine, rotation.sine,
                                               static_cast<int64_t>(rotation.pairs));
  return {.latent_BTC = out[0], .rope_BTR = out[1]};
}

KeysValues join_keys_values(const at::Tensor& kv_BTHX, const at::Tensor& rope_BTR, int64_t value_width,
                            int64_t padded) {
  const variable_list out = JoinKeysValues::apply(kv_BTHX, rope_BTR, value_width, padded);
  return {.keys_BHTQ = out[0], .values_BHTV = out[1]};
}

double softmax_losses(at::Tensor& logits, const at::Tensor& labels, double scale) {
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
  return sum;
}

void add_to(at::Tensor& sum, const at::Tensor& x) {
  by_type(x, [&]<class T>(T) {
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      accumulate(numbers<float>(sum) + begin, numbers<T>(x) + begin, end - begin);
    });
  });
}

}  // namespace plm::train::fused
