// Better codes under given scales, where it is known how the inputs of a matrix go together.
//
// Rounding each weight to the nearest code is best when errors cost apart. They do not: with H the second
// moments of the inputs, an error e of a row costs e' H e. Going round the weights, each is moved to the
// code that is best given the errors of all others, until nothing moves (coordinate descent; the idea
// of GPTQ and its successors, on the blocks of GGUF).
#pragma once

#include <cstdint>
#include <vector>

#include "base/tensor_type.h"
#include "quantize/importance.h"

namespace plm::quantize {

// H by stretches, ready for use. Some of the diagonal's mean is added to it, so that weights
// the text hardly met keep close to what they were.
class SecondMoments {
 public:
  SecondMoments() = default;
  // Of statistics with correlations; mean_squares: their mean_squares().
  SecondMoments(const Correlations& correlations, const std::vector<float>& mean_squares);

  bool empty() const { return values_.empty(); }
  int64_t block() const { return block_; }
  const float* stretch(int64_t i) const { return values_.data() + i * block_ * block_; }

 private:
  int64_t block_ = 0;
  std::vector<float> values_;
};

// Changes codes of an encoded row of `width` numbers so that e' H e falls; it never rises. Does nothing for a
// type whose values are not evenly spaced, or whose blocks do not fit the stretches.
void refine_codes(const float* values, int64_t width, TensorType type, const SecondMoments& moments,
                  void* blocks);

}  // namespace plm::quantize
