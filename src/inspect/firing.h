// What the squared ReLUs of a model do over a text: which neurons fire, how often, and how strongly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/step.h"

namespace plm::inspect {

// Of one layer, over all tokens seen. A neuron fires where its squared ReLU is not zero.
struct LayerFiring {
  int64_t n_tokens = 0;
  std::vector<int64_t> fired_F;  // tokens at which a neuron fired
  // Outputs that are not zero, by size: index is the upper half of their bits, as bfloat16 has them.
  std::vector<int64_t> n_of_size;

  int64_t n_neurons() const { return static_cast<int64_t>(fired_F.size()); }
  int64_t n_fired() const;
  double zero_rate() const;
  double share_never_firing() const;  // of neurons
  double share_firing_above(
      double share) const;  // of neurons: those that fire at more than this share of tokens
  // The number that `share` (0 to 1) of the outputs that are not zero are above, to within the 1/128 of an
  // octave that n_of_size tells apart: for model::Step::live_above. 0 for all of them; always finite.
  float threshold_keeping(double share) const;
};

class FiringCounter {
 public:
  FiringCounter();
  FiringCounter(const FiringCounter&) = delete;
  FiringCounter& operator=(const FiringCounter&) = delete;

  // For Session::set_trace; counts as long as this object lives.
  const model::Trace& trace() const { return trace_; }
  // By layer. Empty for a model without a squared ReLU.
  std::span<const LayerFiring> layers() const { return layers_; }

 private:
  void add(int64_t layer, const float* data, int64_t rows, int64_t columns, int64_t row_stride);

  model::Trace trace_;
  std::vector<LayerFiring> layers_;
};

}  // namespace plm::inspect
