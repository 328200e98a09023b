// One tensor from one number format to another, a piece at a time on all threads. Internal to the folder.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/tensor_type.h"
#include "base/thread_pool.h"

namespace plm::convert {

// Which row of the source is row r of the result. A head of `head_width` rows holds rope pairs side by side
// (GGUF) or all first halves, then all second halves (Hugging Face); 0 keeps the rows as they are.
struct RowMap {
  int64_t head_width = 0;
  bool makes_pairs = true;  // halves to pairs; else pairs to halves

  int64_t source_row(int64_t row) const;
};

struct TensorSource {
  std::span<const std::byte> bytes;  // aligned in no way
  TensorType type = TensorType::f32;
  int64_t rows = 0, cols = 0;
  RowMap row_map = {};
  // The file the bytes are mapped from: pages that have been read are given back. Null for bytes in memory.
  const MappedFile* mapping = nullptr;
};

// What a conversion cannot carry over.
struct Trouble {
  int64_t n_nonfinite = 0;  // NaN or infinite in the source
  int64_t n_overflow = 0;   // finite, but too large for the type of the result
  double largest = 0;       // absolute value of the finite numbers
};

// Buffers of a fixed size, whatever the tensor: a few MB for each thread.
class TensorStream {
 public:
  explicit TensorStream(ThreadPool& pool);

  using Sink = std::function<Status(std::span<const std::byte>)>;

  // Hands the result to `sink` piece by piece, in order. Numbers of the same type pass unchanged, bit for
  // bit; others are rounded to nearest. What is not finite or too large is counted, and reads as zero in a
  // quantised result. cols is a multiple of the blocks of both types.
  Result<Trouble> convert(const TensorSource& source, TensorType type, const Sink& sink);

 private:
  struct Scratch {
    std::vector<std::byte> raw;
    std::vector<float> numbers;
    Trouble trouble;
  };
  void convert_piece(const TensorSource& source, TensorType type, int64_t begin, int64_t n, std::byte* out,
                     Scratch& scratch) const;

  ThreadPool& pool_;
  std::vector<Scratch> scratch_;  // of each thread
  std::vector<std::byte> out_;
};

// Whether every number of the source is in `type` without loss. Not for quantised types.
bool fits_exactly(const TensorSource& source, TensorType type);

// Whether every number is zero (of either sign).
bool is_all_zero(const TensorSource& source);

}  // namespace plm::convert
