// The memory of one sequence, whatever the architecture: streams of rows, one row a token. What a stream
// is and what its rows hold says the layout: latent_cache.h, key_value_cache.h.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/tensor_type.h"

namespace plm::model {

struct CacheLayout {
  int64_t n_streams = 0;  // layers, times what a layer keeps apart
  int64_t row_width = 0;  // numbers of one token in one stream
  // The part of a row that was turned by its position: pairs of neighbours from rope_begin on, one for
  // each frequency.
  int64_t rope_begin = 0;
  std::vector<double> rope_frequencies;

  int64_t row_bytes(TensorType type) const;
  int64_t bytes_per_token(TensorType type) const { return n_streams * row_bytes(type); }
};

// Not thread safe. Rows may be read and written by many threads as long as they do not write the same.
class Cache {
 public:
  // Room for `capacity` tokens. Memory is only taken as rows are written, but a capacity whose rows
  // could never fit into this machine is refused with both numbers. Type: f32, f16, bf16 or q8_0.
  static Result<Cache> create(CacheLayout layout, TensorType type, int64_t capacity);

  const CacheLayout& layout() const { return layout_; }
  TensorType type() const { return type_; }
  int64_t capacity() const { return capacity_; }
  int64_t n_tokens() const { return n_tokens_; }
  int64_t row_bytes() const { return row_bytes_; }
  int64_t bytes_per_token() const { return row_bytes_ * layout_.n_streams; }

  // The rows of a stream follow each other, row_bytes() apart.
  std::byte* row(int64_t stream, int64_t position) {
    return buffer_.data() + (stream * capacity_ + position) * row_bytes_;
  }
  const std::byte* row(int64_t stream, int64_t position) const {
    return buffer_.data() + (stream * capacity_ + position) * row_bytes_;
  }

  // Rows [n_tokens, n_tokens + n) have been written in all streams.
  void advance(int64_t n);

  // Forgets all but the first n tokens; n is at most n_tokens().
  void truncate(int64_t n);

  // Drops the tokens [keep, keep + discard) and moves the later ones down: their rotated parts are
  // turned back by `discard` positions, so that they stand where they now are.
  void shift(int64_t keep, int64_t discard);

 private:
  AlignedBuffer buffer_;
  CacheLayout layout_;
  TensorType type_ = TensorType::f32;
  int64_t capacity_ = 0, n_tokens_ = 0, row_bytes_ = 0;
};

}  // namespace plm::model
