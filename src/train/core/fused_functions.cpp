#include "train/core/fused_functions.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "train/core/passes.h"

namespace plm::train::fused {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

at::Tensor with_dense_rows(const at::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

struct Norm : torch::autograd::Function<Norm> {
  static Variable forward(AutogradContext* context, const Variable& any_x, const Variable& w, double eps) {
    const at::Tensor x = any_x.contiguous();
    const Normed out = passes_for(x)->normalise(x, {}, w, eps);
    context->save_for_backward({x, w, out.scales});
    return out.normed;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const NormGradients out =
        passes_for(saved[0])->normalise_backward(gradients[0].contiguous(), {}, saved[0], saved[1], saved[2]);
    return {out.x, out.w, Variable()};
  }
};

struct AddNorm : torch::autograd::Function<AddNorm> {
  static variable_list forward(AutogradContext* context, const Variable& x, const Variable& added,
                               const Variable& w, double eps) {
    const Normed out = passes_for(x)->normalise(x.contiguous(), added.contiguous(), w, eps);
    context->save_for_backward({out.sum, w, out.scales});
    return {out.sum, out.normed};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dsum = gradients[0].defined() ? gradients[0].contiguous() : at::Tensor();
    const at::Tensor dy = gradients[1].defined() ? gradients[1].contiguous() : at::zeros_like(saved[0]);
    const NormGradients out =
        passes_for(saved[0])->normalise_backward(dy, dsum, saved[0], saved[1], saved[2]);
    return {out.x, out.x, out.w, Variable()};
  }
};

struct SquaredRelu : torch::autograd::Function<SquaredRelu> {
  static Variable forward(AutogradContext* context, const Variable& any_u, double penalty) {
    const at::Tensor u = any_u.contiguous();
    context->save_for_backward({u});
    context->saved_data["penalty"] = penalty;
    at::Tensor y = at::empty_like(u);
    passes_for(u)->square_live(y, u);
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor u = context->get_saved_variables()[0];
    at::Tensor du = at::empty_like(u);
    passes_for(u)->square_live_backward(du, gradients[0].contiguous(), u,
                                        context->saved_data["penalty"].toDouble());
    return {du, Variable()};
  }
};

struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static Variable forward(AutogradContext* context, const Variable& any_gate, const Variable& any_up) {
    const at::Tensor g = any_gate.contiguous();
    const at::Tensor u = any_up.contiguous();
    context->save_for_backward({g, u});
    at::Tensor y = at::empty_like(u);
    passes_for(u)->gate(y, g, u);
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    at::Tensor dg = at::empty_like(saved[0]);
    at::Tensor du = at::empty_like(saved[1]);
    passes_for(du)->gate_backward(dg, du, gradients[0].contiguous(), saved[0], saved[1]);
    return {dg, du};
  }
};

struct RotateHeads : torch::autograd::Function<RotateHeads> {
  static Variable forward(AutogradContext* context, const Variable& any_x, int64_t plain,
                          const at::Tensor& cosine, const at::Tensor& sine, int64_t pairs) {
    const at::Tensor x = any_x.contiguous();
    context->save_for_backward({cosine, sine});
    context->saved_data["plain"] = plain;
    context->saved_data["pairs"] = pairs;
    return passes_for(x)->rotate_heads(x, plain,
                                       {.cosine = cosine, .sine = sine, .pairs = static_cast<Pairs>(pairs)});
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dout = with_dense_rows(gradients[0]);
    const at::Tensor din = passes_for(dout)->rotate_heads_backward(
        dout, context->saved_data["plain"].toInt(),
        {.cosine = saved[0],
         .sine = saved[1],
         .pairs = static_cast<Pairs>(context->saved_data["pairs"].toInt())});
    return {din, Variable(), Variable(), Variable(), Variable()};
  }
};

struct SplitLatent : torch::autograd::Function<SplitLatent> {
  static variable_list forward(AutogradContext* context, const Variable& any_kv, const Variable& w,
                               double eps, const at::Tensor& cosine, const at::Tensor& sine, int64_t pairs) {
    const at::Tensor kv = any_kv.contiguous();
    const SplitLatentParts out = passes_for(kv)->split_latent(
        kv, w, eps, {.cosine = cosine, .sine = sine, .pairs = static_cast<Pairs>(pairs)});
    context->save_for_backward({kv, w, out.scales, cosine, sine});
    context->saved_data["pairs"] = pairs;
    return {out.latent_BTC, out.rope_BTR};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const SplitLatentGradients out = passes_for(saved[0])->split_latent_backward(
        gradients[0].contiguous(), gradients[1].contiguous(), saved[0], saved[1], saved[2],
        {.cosine = saved[3],
         .sine = saved[4],
         .pairs = static_cast<Pairs>(context->saved_data["pairs"].toInt())});
    return {out.kv_BTE, out.w, Variable(), Variable(), Variable(), Variable()};
  }
};

struct JoinKeysValues : torch::autograd::Function<JoinKeysValues> {
  static variable_list forward(AutogradContext* context, const Variable& kv, const Variable& rope,
                               int64_t value_width, int64_t padded) {
    context->saved_data["value_width"] = value_width;
    context->saved_data["R"] = rope.size(2);
    const KeysValues out =
        passes_for(kv)->join_keys_values(kv.contiguous(), rope.contiguous(), value_width, padded);
    return {out.keys_BHTQ, out.values_BHTV};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor dk = with_dense_rows(gradients[0]);
    const JoinGradients out = passes_for(dk)->join_keys_values_backward(
        dk, with_dense_rows(gradients[1]), context->saved_data["value_width"].toInt(),
        context->saved_data["R"].toInt());
    return {out.kv_BTHX, out.rope_BTR, Variable(), Variable()};
  }
};

}  // namespace

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

}  // namespace plm::train::fused
