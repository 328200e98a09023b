#include "train/core/adamw.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace plm::train {

AdamW::AdamW(const ParameterLayout& layout, const AdamWOptions& options, const std::vector<Span>& owned,
             at::Device device)
    : options_(options) {
  const auto numbers = at::TensorOptions().dtype(at::kFloat).device(device);
  const auto add = [&](int64_t begin, int64_t end, bool decays) {
    if (begin >= end) return;
    pieces_.push_back({{begin, end - begin},
                       decays,
                       at::zeros({end - begin}, numbers),
                       at::zeros({end - begin}, numbers),
                       at::zeros({}, numbers)});
  };
  for (const Span& span : owned) {
    const int64_t end = span.offset + span.count;
    const int64_t border = std::clamp(layout.first_undecayed, span.offset, end);
    add(span.offset, border, true);
    add(border, end, false);
  }
}

void AdamW::set_n_steps(int64_t n) {
  n_steps_ = n;
  for (Piece& piece : pieces_) piece.step.fill_(static_cast<double>(n));
}

void AdamW::step(at::Tensor& masters, const at::Tensor& gradients, double learning_rate,
                 double gradient_factor) {
  const at::NoGradGuard no_graph;
  set_n_steps(n_steps_ + 1);
  for (Piece& piece : pieces_) {
    const at::Tensor weights = masters.narrow(0, piece.span.offset, piece.span.count);
    at::Tensor gradient = gradients.narrow(0, piece.span.offset, piece.span.count);
    if (gradient_factor != 1) gradient.mul_(gradient_factor);
    at::_fused_adamw_({weights}, {gradient}, {piece.first}, {piece.second}, {}, {piece.step}, learning_rate,
                      options_.beta1, options_.beta2, piece.decays ? options_.weight_decay : 0.0,
                      options_.epsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
}

void AdamW::export_moments(at::Tensor& first, at::Tensor& second) const {
  for (const Piece& piece : pieces_) {
    first.narrow(0, piece.span.offset, piece.span.count).copy_(piece.first);
    second.narrow(0, piece.span.offset, piece.span.count).copy_(piece.second);
  }
}

void AdamW::import_moments(const at::Tensor& first, const at::Tensor& second) {
  for (Piece& piece : pieces_) {
    piece.first.copy_(first.narrow(0, piece.span.offset, piece.span.count));
    piece.second.copy_(second.narrow(0, piece.span.offset, piece.span.count));
  }
}

}  // namespace plm::train
