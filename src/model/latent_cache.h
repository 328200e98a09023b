// The memory of one sequence: for each token and layer one row of C + R numbers, the latent that all
// heads share and the rotated rope key (docs/formats/cache_row.md).
#pragma once

#include <cstdint>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/tensor_type.h"
#include "model/config.h"

namespace plm::model {

// Not thread safe. Rows may be read and written by many threads as long as they do not write the same.
class LatentCache {
 public:
  // Room for `capacity` tokens. Memory is only taken as rows are written, but a capacity whose rows
  // could never fit into this machine is refused with both numbers. Type: f32, f16, bf16 or q8_0.
  static Result<LatentCache> create(const Config& config, TensorType type, int64_t capacity);

  TensorType type() const { return type_; }
  int64_t capacity() const { return capacity_; }
  int64_t n_tokens() const { return n_tokens_; }
  int64_t row_bytes() const { return row_bytes_; }
  int64_t bytes_per_token() const { return row_bytes_ * n_layers_; }

  std::byte* row(int64_t layer, int64_t position) {
    return buffer_.data() + (layer * capacity_ + position) * row_bytes_;
  }
  const std::byte* row(int64_t layer, int64_t position) const {
    return buffer_.data() + (layer * capacity_ + position) * row_bytes_;
  }

  // Rows [n_tokens, n_tokens + n) have been written in all layers.
  void advance(int64_t n);

  // Forgets all but the first n tokens; n is at most n_tokens().
  void truncate(int64_t n);

  // Drops the tokens [keep, keep + discard) and moves the later ones down: their rope keys are turned
  // back by `discard` positions, so that they stand where they now are.
  void shift(int64_t keep, int64_t discard);

 private:
  AlignedBuffer buffer_;
  TensorType type_ = TensorType::f32;
  int64_t n_layers_ = 0, capacity_ = 0, n_tokens_ = 0, row_bytes_ = 0;
  int64_t latent_width_ = 0, rope_width_ = 0;
  float rope_base_ = 0;
};

// cos and sin of the angles position * base^(-2i/width), pair after pair; `width` numbers. Turning by
// a negative position turns back.
void fill_rope_table(int64_t position, int64_t width, float base, float* cos_sin);

}  // namespace plm::model
